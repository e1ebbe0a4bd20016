import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kerasnas.tuners import Results
from kerasnas.tuners.core.errors import TunerError
from kerasnas.tuners.core.genes import Gene
from kerasnas.tuners.loop import run
from kerasnas.tuners.runners.base import Failed, Finished, Job, Progress, Started
from kerasnas.tuners.runners.local import LocalRunner
from kerasnas.tuners.runners.ray import RayRunner, RaySettings
from kerasnas.tuners.search import Search

HERE = Path(__file__).parent
FACTORY = "runner_factories:make"


def test_without_ray_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TunerError, match=r"pip install 'kerasnas\[ray\]'"):
        RayRunner()


def test_an_address_that_is_none_is_refused():
    pytest.importorskip("ray")
    for address in ("somewhere", "host:", ":6379", "host:port", "ray://host:10001"):
        with pytest.raises(TunerError, match="HOST:PORT"):
            RayRunner(RaySettings(address=address))


def test_a_cluster_that_does_not_answer_is_named_at_once():
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(TunerError, match=f"no Ray cluster answers at {address}.*ray start --head"):
        RayRunner(RaySettings(address=address))


def test_auto_without_a_cluster_says_how_to_start_one(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv(
        "RAY_TMPDIR", str(tmp_path)
    )  # a cluster that was killed may have left a note
    with pytest.raises(TunerError, match="no Ray cluster can be joined.*ray start --head"):
        RayRunner()


def test_auto_names_the_address_of_a_cluster_that_was_killed(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    note = tmp_path / "ray" / "ray_current_cluster"
    note.parent.mkdir()
    note.write_text(address)
    with pytest.raises(TunerError, match=rf"answers at {address} \(auto\) .*ray start --head"):
        RayRunner()


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster on this machine: two nodes with room for one worker each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    sys.path.insert(0, str(HERE))
    cluster = Cluster()
    cluster.add_node(num_cpus=1, include_dashboard=False)
    cluster.second = cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()
    sys.path.remove(str(HERE))


@pytest.fixture
def runner(cluster):
    with RayRunner(RaySettings(address=cluster.address)) as runner:
        yield runner


def choice(name, values):
    fields = {"name": name, "values": list(values), "conditions": []}
    return Gene.from_config({"class_name": "Choice", "config": fields})


def make_search(actions=("score", "steps", "raise", "segfault")):
    genes = [choice("action", actions), choice("x", range(4))]
    count = len(actions) * 4
    return Search(genes, [("score", "max")], max_trials=count, max_consecutive_failures=None)


def make_job(trial):
    return Job(trial.id, FACTORY, {}, dict(trial.values), time_limit=60)


def table(search):
    rows = [(each.id, each.values, each.status, each.metrics) for each in search.trials]
    return rows, [(each.message, each.info.get("cause")) for each in search.trials]


@pytest.mark.slow
def test_a_cluster_gives_the_same_table_as_one_machine(runner, monkeypatch):
    there, here = make_search(), make_search()
    assert runner.slots == 2
    run(there, runner, make_job)
    with LocalRunner() as local:
        run(here, local, make_job)
    assert table(there) == table(here)
    assert {each.info.get("cause") for each in there.trials} == {None, "exception", "crash"}


@pytest.mark.slow
def test_two_workers_run_at_the_same_time_and_one_can_be_killed(runner, tmp_path):
    os.mkfifo(tmp_path / "meeting")
    for slot, mode in enumerate("rw"):
        values = {"action": "meet", "fifo": str(tmp_path / "meeting"), "mode": mode}
        runner.start(Job(mode, FACTORY, values=values, time_limit=60), slot)
    seen = []
    while sum(isinstance(event, Finished | Failed) for event in seen) < 2:
        seen += runner.wait(60)
    assert {(event.id, event.slot) for event in seen if isinstance(event, Finished)} == {
        ("r", 0),
        ("w", 1),
    }
    with pytest.raises(TunerError, match="slot 2 of 2"):
        runner.start(Job("x", FACTORY), 2)
    runner.start(Job("x", FACTORY, values={"action": "for ever"}), 1)
    assert runner.wait(0) == []
    runner.kill(1)
    (failed,) = runner.wait(60)
    assert (failed.id, failed.slot, failed.cause) == ("x", 1, "killed")


@pytest.mark.slow
def test_a_factory_that_no_machine_can_import_ends_the_search(runner):
    with pytest.raises(TunerError, match="no_such_module"):
        run(make_search(), runner, lambda trial: Job(trial.id, "no_such_module:make"))


@pytest.mark.slow
def test_a_killed_actor_costs_its_trial_a_run_and_nothing_else(runner):
    search, seen = make_search(["steps"]), []

    def kill_the_first(event):
        seen.append(event)
        if isinstance(event, Progress) and event.id == "0000" and event.step == 2:
            workers = [each.pid for each in seen if isinstance(each, Started) and each.id == "0000"]
            if len(workers) == 1:
                os.kill(psutil.Process(workers[0]).ppid(), signal.SIGKILL)

    run(search, runner, make_job, on_event=kill_the_first)
    lost = [event for event in seen if isinstance(event, Failed)]
    assert [(event.id, event.cause) for event in lost] == [("0000", "lost")]
    assert [(trial.status, trial.attempt) for trial in search.trials] == [("completed", 0)] * 4


DRIVER = f"""
import sys
from kerasnas.tuners.runners.base import Job, Started
from kerasnas.tuners.runners.ray import RayRunner, RaySettings
runner = RayRunner(RaySettings(address=sys.argv[1]))
runner.start(Job("1", "{FACTORY}", values={{"action": "for ever"}}), 0)
while True:
    for event in runner.wait():
        if isinstance(event, Started):
            print(event.pid, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="process descriptors are Linux's")
def test_no_worker_outlives_a_killed_search(cluster):
    command = [sys.executable, "-c", DRIVER, cluster.address]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as driver:
        worker = os.pidfd_open(int(driver.stdout.readline()))
        driver.kill()
    assert select.select([worker], [], [], 60)[0]
    os.close(worker)


SEARCH = f"""
import sys
from kerasnas.tuners import Gene, LostError, Search
from kerasnas.tuners.loop import run
from kerasnas.tuners.runners.base import Job, Progress
from kerasnas.tuners.runners.ray import RayRunner, RaySettings
genes = [Gene("x", values=tuple(range(9)))]
make_job = lambda trial: Job(trial.id, "{FACTORY}", {{}}, {{**trial.values, "action": "steps"}})
with Search(genes, [("score", "max")], max_trials=5, directory=sys.argv[2]) as search:
    with RayRunner(RaySettings(address=sys.argv[1], workers=1)) as runner:
        def note(event):
            print(type(event).__name__, event.id, flush=True)
            if isinstance(event, Progress) and event.id == "0002" and len(sys.argv) > 3:
                sys.stdin.readline()
        try:
            run(search, runner, make_job, on_event=note)
        except LostError as error:
            print(error, flush=True)
            sys.exit(2)
"""


@pytest.mark.nightly
@pytest.mark.slow
def test_a_search_whose_cluster_has_lost_its_head_says_so_and_can_go_on(tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
    }
    expected = [f"{number:04d}" for number in range(5)]
    for interrupted in (True, False):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            arguments = [cluster.address, str(tmp_path), *(["wait"] if interrupted else [])]
            with subprocess.Popen(
                [sys.executable, "-c", SEARCH, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            ) as search:
                if interrupted:
                    while search.stdout.readline() != "Progress 0002\n":
                        assert search.poll() is None
                    cluster.head_node.kill_all_processes(check_alive=False)
                said, _ = search.communicate("\n", timeout=120)
        finally:
            cluster.shutdown()
        assert search.returncode == (2 if interrupted else 0)
        if interrupted:
            assert "is gone" in said and "run the same search again to continue" in said
    trials = Results.read(tmp_path).trials
    assert [(trial.id, trial.status) for trial in trials] == [(id, "completed") for id in expected]
    assert (tmp_path / "journal.jsonl").read_text().count('"event":"finish"') == 5


@pytest.mark.nightly
@pytest.mark.slow
def test_a_worker_that_is_stopped_and_continued_loses_nothing(runner):
    search, seen = make_search(["steps"]), []

    def pause_the_first(event):
        seen.append(event)
        if isinstance(event, Started) and event.id == "0000":
            os.kill(event.pid, signal.SIGSTOP)
        if isinstance(event, Finished) and event.id == "0001":
            (pid,) = [each.pid for each in seen if isinstance(each, Started) and each.id == "0000"]
            os.kill(pid, signal.SIGCONT)

    run(search, runner, make_job, on_event=pause_the_first)
    ended = [event.id for event in seen if isinstance(event, Finished | Failed)]
    assert sorted(ended) == [f"{number:04d}" for number in range(4)]
    assert {trial.status for trial in search.trials} == {"completed"}


@pytest.mark.slow
def test_a_machine_that_is_gone_for_good_does_not_hold_the_search_up(cluster, runner):
    search, seen = make_search(["steps"]), []

    def remove_the_second(event):
        seen.append(event)
        started = [each.id for each in seen if isinstance(each, Started)]
        if len(started) == 2 and isinstance(event, Progress) and cluster.second:
            node, cluster.second = cluster.second, None
            cluster.remove_node(node)

    run(search, runner, make_job, on_event=remove_the_second)
    assert [event.cause for event in seen if isinstance(event, Failed)] == ["lost"]
    assert [trial.status for trial in search.trials] == ["completed"] * 4


@pytest.mark.slow
def test_a_cluster_without_room_is_said_to_have_none(cluster):
    with pytest.raises(TunerError, match="has room for a worker of 64 CPUs"):
        RayRunner(RaySettings(address=cluster.address, cpus=64))
    settings = RaySettings(address=cluster.address, cpus=64, workers=1, room_limit=0.1)
    with RayRunner(settings) as runner, pytest.raises(TunerError, match="had no room"):
        run(make_search(), runner, make_job)
