import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import psutil
import pytest

from kerasnas.tuners.core.errors import TunerError
from kerasnas.tuners.runners.base import Failed, Finished, Job, Progress, Started
from kerasnas.tuners.runners.child import Child
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings

HERE = Path(__file__).parent
FACTORY = "runner_factories:make"
UNSEEN = weakref.WeakKeyDictionary()


@pytest.fixture(autouse=True)
def factories_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def make_runner():
    runners = []

    def make(**settings):
        runners.append(LocalRunner(LocalSettings(**settings)))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture
def runner(make_runner):
    return make_runner()


def job(action="score", id="0000", **values):
    return Job(id, FACTORY, values={"action": action, **values}, time_limit=60)


def wait_for(runner, kind, keep=True):
    """The next event of this kind; progress before it is answered. One event at a time."""
    while True:
        unseen = UNSEEN.setdefault(runner, [])
        unseen += [] if unseen else runner.wait(60)
        assert unseen, "nothing came in a minute"
        event = unseen.pop(0)
        if isinstance(event, kind):
            return event
        if isinstance(event, Progress):
            runner.answer(event.slot, keep)


def handle(pid):
    """A descriptor that becomes readable when the process ends, reaped or not."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("process descriptors are Linux's")
    return os.pidfd_open(pid)


def assert_ends(process):
    assert select.select([process], [], [], 20)[0]
    os.close(process)


def run(runner, job, slot=0):
    runner.start(job, slot)
    return wait_for(runner, Finished | Failed)


def test_a_trial_gives_its_result(runner):
    runner.start(job(x=7), 0)
    started = wait_for(runner, Started)
    finished = wait_for(runner, Finished)
    assert (started.id, started.slot) == (finished.id, finished.slot) == ("0000", 0)
    assert finished.result["metrics"] == {"score": 7}
    assert finished.result["pid"] == started.pid != os.getpid()
    assert finished.memory > 1_000_000


def test_the_factory_runs_once_for_the_same_arguments(runner):
    jobs = [
        Job(str(number), FACTORY, {"data": data}) for number, data in enumerate(["a", "a", "b"])
    ]
    first, second, third = (run(runner, job).result for job in jobs)
    assert [each["loaded"] for each in (first, second, third)] == [0, 0, 1]
    assert first["pid"] == third["pid"]
    assert third["arguments"] == {"data": "b"}


@pytest.mark.parametrize(
    ("action", "cause", "words"),
    [
        ("raise", "exception", "ValueError: no good"),
        ("exit", "exception", "SystemExit: bye"),
        ("no JSON", "exception", "cannot be written as JSON"),
        ("no metrics", "exception", '"metrics"'),
        ("out of memory", "memory", "cannot allocate 9 TB"),
        ("disk full", "disk", "No space left on device"),
    ],
)
def test_an_exception_costs_the_trial_and_not_the_worker(runner, action, cause, words):
    before = run(runner, job())
    failed = run(runner, job(action))
    assert failed.cause == cause
    assert words in failed.message
    assert "runner_factories.py" in failed.traceback or action.startswith("no ")
    assert run(runner, job()).result["pid"] == before.result["pid"]


@pytest.mark.parametrize(
    ("action", "cause", "words"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("abort", "crash", "SIGABRT"),
        ("leave", "crash", "exit code 3"),
        ("kill self", "killed", "SIGKILL"),
    ],
)
def test_a_dead_worker_costs_only_its_trial(make_runner, action, cause, words):
    runner = make_runner(workers=2)
    runner.start(job("steps", id="other"), 1)
    other = wait_for(runner, Progress)
    runner.start(job(action, id="dies"), 0)
    failed = wait_for(runner, Failed)
    assert (failed.id, failed.cause) == ("dies", cause)
    assert words in failed.message
    runner.answer(other.slot, True)
    assert wait_for(runner, Finished).id == "other"
    assert isinstance(run(runner, job()), Finished)


def test_a_crash_shows_the_end_of_the_log(runner, tmp_path):
    failed = run(runner, Job("1", FACTORY, values={"action": "segfault"}, directory=tmp_path))
    assert str(tmp_path / "log.txt") in failed.traceback
    assert "before the fault" in failed.traceback
    assert "string_at" in failed.traceback  # the Python stack of the fault


def test_the_time_limit_ends_a_trial(runner):
    limited = Job("1", FACTORY, values={"action": "for ever"}, time_limit=0.1)
    failed = run(runner, limited)
    assert (failed.cause, failed.seconds >= 0.1) == ("time limit", True)
    assert "0.1 s" in failed.message
    assert isinstance(run(runner, job()), Finished)


def test_the_memory_limit_ends_a_trial(make_runner):
    failed = run(make_runner(memory_limit=200_000_000), job("allocate"))
    assert failed.cause == "memory"
    assert "200 MB" in failed.message


def test_workers_are_replaced_after_their_number_of_trials(make_runner):
    runner = make_runner(trials_per_worker=2)
    pids = [run(runner, job()).result["pid"] for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_workers_are_replaced_when_they_have_grown(make_runner):
    small, large = make_runner(recycle_above=1), make_runner(recycle_above=10**12)
    assert len({run(small, job()).result["pid"] for _ in range(3)}) == 3
    assert len({run(large, job()).result["pid"] for _ in range(3)}) == 1


def test_two_slots_run_at_the_same_time(make_runner, tmp_path):
    os.mkfifo(tmp_path / "meeting")
    runner = make_runner(workers=2)
    for slot, mode in enumerate("rw"):
        runner.start(job("meet", id=mode, fifo=str(tmp_path / "meeting"), mode=mode), slot)
    assert {wait_for(runner, Finished).id, wait_for(runner, Finished).id} == {"r", "w"}


def test_a_trial_has_its_own_log_and_directory(runner, tmp_path):
    for number in (1, 2):
        directory = tmp_path / "trials" / str(number)
        spoken = Job("1", FACTORY, values={"action": "speak", "x": number}, directory=directory)
        assert isinstance(run(runner, spoken), Finished)
    log = (tmp_path / "trials" / "2" / "log.txt").read_text()
    assert {"from Python 2", "from C", "from a child", "an error"} <= set(log.splitlines())
    assert "from Python 1" not in log
    assert (tmp_path / "trials" / "2" / "own.txt").read_text() == "own"


def test_threads_and_devices_are_set_before_the_first_import(make_runner):
    runner = make_runner(workers=2, threads=3, devices=("4", "7"))
    for slot, device in enumerate(["4", "7"]):
        environment = run(runner, job("environment"), slot).result["environment"]
        assert environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "3"
        assert environment["CUDA_VISIBLE_DEVICES"] == device


def test_a_worker_imports_what_the_parent_can_import(runner):
    path = run(runner, job("environment")).result["path"]
    here = [entry or str(Path.cwd()) for entry in sys.path]
    once = list(dict.fromkeys(here))  # Python drops repetitions when it starts
    assert path[: len(once)] == once


def test_a_trial_told_to_stop_stops(runner):
    runner.start(job("steps"), 0)
    for expected in (1, 2):
        progress = wait_for(runner, Progress)
        assert (progress.step, progress.metrics) == (expected, {"loss": 1.0 / expected})
        runner.answer(0, keep=expected < 2)
    assert wait_for(runner, Finished).result["last"] == 2


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("no_such_module:make", "No module named 'no_such_module'"),
        ("runner_factories:no_such_function", "no_such_function"),
        ("runner_factories:make_and_raise", "no data in /nowhere"),
    ],
)
def test_a_factory_that_cannot_be_loaded_is_named(runner, factory, words):
    failed = run(runner, Job("1", factory))
    assert failed.cause == "import"
    assert factory in failed.message
    assert words in failed.message


def test_a_worker_that_exits_while_starting_would_again(runner, tmp_path):
    failed = run(runner, Job("1", "runner_factories:make_and_exit", directory=tmp_path))
    assert failed.cause == "import"
    assert failed.message.endswith("exit code 4: about to go")
    assert "about to go" in failed.traceback


def test_a_worker_that_is_killed_while_starting_is_lost(runner, tmp_path):
    failed = run(runner, Job("1", "runner_factories:make_and_be_killed", directory=tmp_path))
    assert failed.cause == "lost"
    assert "SIGKILL" in failed.message


def test_a_worker_that_cannot_import_itself_says_what_is_missing(runner, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise ImportError('numpy is broken')")
    monkeypatch.syspath_prepend(str(tmp_path))
    failed = run(runner, Job("1", FACTORY, directory=tmp_path / "trial"))
    assert failed.cause == "import"
    assert "ImportError: numpy is broken" in failed.message


def test_nothing_is_left_where_a_kill_comes_in_between(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runner.start(job("steps"), 0)
    wait_for(runner, Started)
    assert not list(tmp_path.iterdir())


def test_without_a_log_a_trial_s_last_words_are_its_own(runner, tmp_path):
    run(runner, job("say", x="earlier words"))
    run(runner, Job("1", FACTORY, values={"action": "say", "x": "logged"}, directory=tmp_path))
    failed = run(runner, job("segfault"))
    assert (tmp_path / "log.txt").read_text() == "logged\n"
    assert "before the fault" in failed.traceback
    assert "earlier words" not in failed.traceback


def test_a_worker_that_never_gets_ready_is_given_up(make_runner):
    failed = run(make_runner(start_limit=0.5), Job("1", "runner_factories:make_for_ever"))
    assert failed.cause == "import"
    assert "not ready after 0.5 s" in failed.message


def test_long_values_and_results_pass(runner):
    blob = Job("1", "runner_factories:make_blob", {"size": 3_000_000}, {"blob": "y" * 1_000_000})
    finished = run(runner, blob)
    assert finished.result["metrics"] == {"score": 1_000_000}
    assert len(finished.result["blob"]) == 3_000_000


def test_scalars_of_other_libraries_become_numbers(runner):
    assert run(runner, job("numpy")).result["metrics"] == {"score": 0.5}


@pytest.mark.parametrize("action", ["fork", "fork and report"])
def test_a_child_that_a_trial_forks_cannot_reply(runner, action):
    finished = run(runner, job(action, id="0007"))
    assert (finished.id, finished.result["metrics"]) == ("0007", {"score": 0})
    after = run(runner, job(x=3, id="0008"))
    assert (after.id, after.result["metrics"]) == ("0008", {"score": 3})


@pytest.mark.parametrize(
    "stray",
    [
        "words\n",
        "{}\n",
        "[1]\n",
        '{"event": "finished", "id": "0000", "run": 1}\n',
        '{"event": "finished", "id": "0000", "run": 1, "result": {}, "seconds": 1}\n',
        '{"event": "progress", "id": "0000", "run": 1, "step": 1, "metrics": {"loss": "x"}}\n',
        "[" * 9000,
        "x",
    ],
)
def test_stray_bytes_on_the_pipe_cost_one_trial(make_runner, stray):
    runner = make_runner(workers=2)
    runner.start(job("for ever"), 1)
    wait_for(runner, Started)
    failed = run(runner, job("stray bytes", bytes=stray))
    assert (failed.id, failed.cause) == ("0000", "crash")
    assert f"no reply: {stray.strip()[:5].encode()!r}"[:-1] in failed.message
    assert run(runner, job(x=3)).result["metrics"] == {"score": 3}


def test_a_reply_about_another_trial_or_run_is_not_believed(runner):
    for own, other in [("0000", "0001"), ("0002", "0002")]:  # of an earlier run of this worker
        values = {"action": "reply for another", "id": other, "x": 4}
        finished = run(runner, Job(own, FACTORY, values=values))
        assert finished.result["metrics"] == {"score": 4}


def test_a_reply_without_an_end_is_given_up_and_holds_no_other_trial_up(make_runner):
    runner = make_runner(workers=2)
    flooding, limited = (
        job("flood", id="0000"),
        Job("0001", FACTORY, {}, {"action": "for ever"}, None, 0.5),
    )
    runner.start(limited, 1)
    wait_for(runner, Started)
    runner.start(flooding, 0)
    ended = [wait_for(runner, Failed), wait_for(runner, Failed)]
    found = {event.id: (event.cause, event.message) for event in ended}
    assert found["0001"][0] == "time limit"
    assert found["0000"][0] == "crash"
    assert "more than 16,000,000 bytes" in found["0000"][1]


def test_a_result_that_is_too_large_fails_the_trial_and_says_what_to_do(runner):
    failed = run(runner, Job("1", "runner_factories:make_blob", {"size": 17_000_000}, {"blob": ""}))
    assert failed.cause == "exception"
    assert "at most 16,000,000 are taken: write what is large to a file" in failed.message


def test_a_child_reads_a_long_reply_in_parts_and_once():
    child = Child.__new__(Child)
    child.replies, end = os.pipe()
    os.set_blocking(child.replies, False)
    child._partial, child._asked, child.silent, child._fault = bytearray(), ("1", 1), False, None
    line = json.dumps({"event": "ready", "id": "1", "run": 1, "blob": "y" * 3_000_000}).encode()
    found, turns = [], 0
    view = memoryview(line + b"\n" + line)
    os.set_blocking(end, False)
    while view or not found:
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(end, view) :]
        found += child.receive(1 << 14)
        turns += 1
    assert [len(reply["blob"]) for reply in found] == [3_000_000]
    assert turns > 40
    os.close(end)
    assert child.receive(math.inf) == []
    assert child.silent and len(child._partial) == len(line)
    os.close(child.replies)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a worker's descendants")
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("end", ["result", "exception", "crash"])
def test_what_a_trial_leaves_running_ends_with_it(runner, end, alone):
    if end == "crash" and alone:
        pytest.skip("what has left a dead worker's group cannot be found")
    runner.start(job("leave a grandchild", end=end, alone=alone), 0)
    grandchild = handle(int(wait_for(runner, Progress).metrics["pid"]))
    runner.answer(0, True)
    wait_for(runner, Finished | Failed)
    assert_ends(grandchild)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_what_a_trial_has_started_does_not_outlive_a_killed_search():
    command = [sys.executable, "-c", PARENT, "leave a grandchild"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = handle(int(parent.stdout.readline()))
        grandchild = handle(int(parent.stdout.readline()))
        parent.kill()
    assert_ends(worker)
    assert_ends(grandchild)


def test_what_a_factory_has_started_lives_on_with_its_worker(runner):
    jobs = [Job(str(number), "runner_factories:make_and_keep_a_helper") for number in range(2)]
    helpers = {run(runner, job).result["helper"] for job in jobs}
    assert len(helpers) == 1
    helper = handle(helpers.pop())
    runner.close()
    assert_ends(helper)


def test_kill_ends_the_trial_and_all_it_started(runner):
    runner.start(job("grandchild"), 0)
    grandchild = handle(int(wait_for(runner, Progress).metrics["pid"]))
    runner.kill(0)
    assert wait_for(runner, Failed).cause == "killed"
    assert_ends(grandchild)


def test_close_ends_workers_idle_and_busy(make_runner):
    runner = make_runner(workers=2)
    idle = run(runner, job(), 0).result["pid"]
    runner.start(job("for ever"), 1)
    busy = wait_for(runner, Started).pid
    runner.close()
    runner.close()
    assert not psutil.pid_exists(idle)
    assert not psutil.pid_exists(busy)
    with pytest.raises(TunerError, match="closed"):
        runner.start(job(), 0)


def test_an_interrupt_does_not_reach_the_workers(runner):
    runner.start(job("steps"), 0)
    pid = wait_for(runner, Started).pid
    assert os.getpgid(pid) != os.getpgid(0)
    wait_for(runner, Progress)
    os.kill(pid, signal.SIGINT)
    runner.answer(0, True)
    assert isinstance(wait_for(runner, Finished), Finished)


PARENT = f"""
import sys
from kerasnas.tuners.runners.base import Job, Progress, Started
from kerasnas.tuners.runners.child import Child
from kerasnas.tuners.runners.local import LocalRunner
runner = LocalRunner()
values = {{"action": sys.argv[1], "end": "for ever", "alone": False}}
runner.start(Job("1", "{FACTORY}", values=values), 0)
while True:
    for event in runner.wait():
        if isinstance(event, Started):
            print(event.pid, flush=True)
        if isinstance(event, Progress):
            print(int(event.metrics.get("pid", 0)), flush=True)
            runner.answer(0, True)
"""


@pytest.mark.parametrize("action", ["for ever", "hold interpreter"])
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_a_killed_parent(action, ending):
    command = [sys.executable, "-c", PARENT, action]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = handle(int(parent.stdout.readline()))
        parent.send_signal(ending)
    assert_ends(worker)


def test_a_busy_slot_takes_no_second_job(runner):
    runner.start(job("for ever"), 0)
    with pytest.raises(TunerError, match=r"slot 0 of 1: \[0\] are busy"):
        runner.start(job(), 0)
    with pytest.raises(TunerError, match="slot 1 of 1"):
        runner.start(job(), 1)


def test_waiting_ends_without_an_event(runner):
    assert runner.wait() == []
    runner.start(job("for ever"), 0)
    wait_for(runner, Started)
    assert runner.wait(0) == []


def test_a_directory_that_cannot_be_made_is_named(runner, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TunerError, match="trial 1 cannot be made"):
        runner.start(Job("1", FACTORY, directory=tmp_path / "file" / "1"), 0)
