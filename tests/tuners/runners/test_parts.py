import json
import mmap
import os
import sys
from pathlib import Path

import pytest

from kerasnas.tuners.core.errors import TunerError
from kerasnas.tuners.runners.base import Job
from kerasnas.tuners.runners.child import describe_exit, held_memory, kernel_kills, log_tail
from kerasnas.tuners.runners.environment import available_cores, worker_environment


def test_a_job_survives_json():
    job = Job("0001", "a.b:c", {"data": [1, None]}, {"x": 0.5}, Path.cwd() / "runs", 3.0)
    assert Job.from_plain(json.loads(json.dumps(job.to_plain()))) == job
    assert Job.from_plain(Job("1", "a:b", directory=Path("runs")).to_plain()).directory == (
        Path.cwd() / "runs"  # a worker may have another current directory
    )


@pytest.mark.parametrize("factory", ["", "module", "module:", ":function", "__main__:make"])
def test_a_factory_that_no_worker_can_import_is_refused(factory):
    with pytest.raises(TunerError, match=repr(factory)):
        Job("1", factory)


@pytest.mark.parametrize(
    ("code", "out_of_memory", "cause", "words"),
    [
        (0, False, "crash", "exit code 0"),
        (137, False, "crash", "exit code 137"),
        (-11, False, "crash", "SIGSEGV"),
        (-11, True, "crash", "SIGSEGV"),
        (-4, False, "crash", "SIGILL"),
        (-9, False, "killed", "SIGKILL"),
        (-9, True, "memory", "memory ran out"),
        (-15, True, "killed", "SIGTERM"),
        (-40, False, "crash", "signal 40"),
    ],
)
def test_exit_codes_in_words(code, out_of_memory, cause, words):
    found, message = describe_exit(code, out_of_memory)
    assert found == cause
    assert words in message


def test_kills_for_memory_are_read_from_the_first_file_that_counts_them(tmp_path):
    events, statistics = tmp_path / "memory.events", tmp_path / "vmstat"
    assert kernel_kills((events, statistics)) == 0
    statistics.write_text("pgfault 9\noom_kill 3\n")
    assert kernel_kills((events, statistics)) == 3
    events.write_text("low 0\noom 5\noom_kill 2\n")
    assert kernel_kills((events, statistics)) == 2


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="affinity is Linux's")
def test_cores_are_cut_to_the_quota_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    quota = tmp_path / "cpu.max"
    assert available_cores(quota) == 8
    for text, cores in [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)]:
        quota.write_text(text)
        assert available_cores(quota) == cores


def test_a_device_is_left_alone_unless_given():
    inherited = {"CUDA_VISIBLE_DEVICES": "1,2", "OMP_NUM_THREADS": "64", "HOME": "/home/me"}
    environment = worker_environment(inherited, 2)
    assert environment["CUDA_VISIBLE_DEVICES"] == "1,2"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["HOME"] == "/home/me"
    assert worker_environment(inherited, 2, "0")["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_allocator_keeps_memory_unless_the_user_says_otherwise():
    assert "trim_threshold" in worker_environment({}, 1)["GLIBC_TUNABLES"]
    own = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    assert worker_environment(own, 1)["GLIBC_TUNABLES"] == own["GLIBC_TUNABLES"]


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log.txt"
    assert log_tail(log) == ""
    log.write_bytes(b"x" * 9000 + b"\n" + b"\n".join(b"%d\n" % n for n in range(50)) + b"\xff\n")
    assert log_tail(log, 3) == "48\n49\n\ufffd"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells mapped files apart")
def test_memory_counts_what_is_held_and_not_what_is_mapped(tmp_path):
    size = 64_000_000
    (tmp_path / "features").write_bytes(bytes(size))
    before = held_memory(os.getpid())
    with (
        (tmp_path / "features").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as features,
    ):
        assert sum(features[::4096]) == 0  # every page is in memory now
        assert held_memory(os.getpid()) - before < size / 2
    hoard = b"x" * size
    assert held_memory(os.getpid()) - before > size / 2
    del hoard
    assert held_memory(2**22 + 1) == 0
