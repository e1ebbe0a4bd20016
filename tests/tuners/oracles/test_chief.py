"""A smoke test under KerasTuner's own chief and worker processes."""

import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest

from kerasnas.tuners import Results

PROGRAM = """
import os, sys, time, traceback, types
from pathlib import Path
import keras_tuner
from keras_tuner.src.distribute import oracle_chief
from kerasnas.tuners import Controller, ControllerOracle, NSGA2Oracle, SizeConstrainedRandomOracle

# the chief sleeps up to 20 s between its looks
oracle_chief.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.2)))

def space(hp):
    hp.Int("units", 1, 50)
    family = hp.Choice("family", ["dense", "conv"])
    with hp.conditional_scope("family", ["conv"]):
        hp.Choice("kernel", [3, 5])

class Tuner(keras_tuner.Tuner):
    def run_trial(self, trial, **_):
        if self.meeting:  # neither worker may make all trials before the other has come
            open(self.meeting, "r" if name == "worker0" else "w").close()
            self.meeting = None
        values = trial.hyperparameters.values
        if values["units"] % 5 == 0:
            raise ValueError("units are a multiple of five")
        return {"score": values["units"]}

kinds = {
    "random": (SizeConstrainedRandomOracle, {}),
    "NSGA-II": (NSGA2Oracle, {"population": 3, "exploitation": 1}),
    "controller": (ControllerOracle, {"controller": Controller(budget=12, batch=2, exploration=0)}),
}
name = os.environ["KERASTUNER_TUNER_ID"]
for (kind, (make, settings)), port in zip(kinds.items(), sys.argv[2:], strict=True):
    os.environ["KERASTUNER_ORACLE_PORT"] = port
    directory = Path(sys.argv[1], kind)
    oracle = make(
        ("score", "max"), 12, cost=lambda values: values["units"], minimum=11,
        objectives=[("cost", "min")], max_consecutive_failed_trials=None, **settings
    )
    try:
        tuner = Tuner(oracle, space, directory=directory, project_name="p")
        tuner.meeting = directory / "meeting"
        tuner.search(verbose=0)
        ending = "searched"
    except Exception:
        ending = traceback.format_exc()
    (directory / f"{name}.txt").write_text(ending)
"""
KINDS = ("random", "NSGA-II", "controller")
WORKERS = ("worker0", "worker1")


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in sockets]


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """The directory with every oracle's search; a chief and its workers make one after another."""
    directory = tmp_path_factory.mktemp("searches")
    shared = {
        **os.environ,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-c", PROGRAM, str(directory), *free_ports(len(KINDS))]
    for kind in KINDS:
        (directory / kind).mkdir()
        os.mkfifo(directory / kind / "meeting")
    with contextlib.ExitStack() as stack:
        processes = []
        for name in ("chief", *WORKERS):
            log = stack.enter_context((directory / f"{name}.log").open("w"))
            process = subprocess.Popen(
                command,
                env={**shared, "KERASTUNER_TUNER_ID": name},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        assert [process.wait(timeout=300) for process in processes] == [0] * 3, [
            path.read_text()[-2000:] for path in directory.glob("*.log")
        ]
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_workers_of_a_chief_share_the_trials(kind, searches):
    directory = searches / kind
    endings = {path.stem: path.read_text() for path in directory.glob("*.txt")}
    assert endings["chief"] == "searched"
    assert "searched" in [endings[name] for name in WORKERS]
    for name in WORKERS:
        # KerasTuner's chief leaves when no trial runs; who asks it afterwards finds nobody there.
        assert endings[name] == "searched" or "UNAVAILABLE" in endings[name]
    results = Results.read(directory / "p")
    assert len(results.trials) == 12
    assert len({json.dumps(trial.values, sort_keys=True) for trial in results.trials}) == 12
    for trial in results.trials:
        units = trial.values["units"]
        assert units >= 11
        assert ("kernel" in trial.values) == (trial.values["family"] == "conv")
        if units % 5:
            assert trial.status == "completed"
            assert trial.metrics == {"score": units, "cost": units}
        else:
            assert trial.status == "failed"
            assert "told no reason" in trial.message  # KerasTuner's protocol carries none
    assert results.pareto_front()
