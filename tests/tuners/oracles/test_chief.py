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
import sys
import keras_tuner
from kerasnas.tuners import Controller, ControllerOracle, NSGA2Oracle, SizeConstrainedRandomOracle

def space(hp):
    hp.Int("units", 1, 50)
    family = hp.Choice("family", ["dense", "conv"])
    with hp.conditional_scope("family", ["conv"]):
        hp.Choice("kernel", [3, 5])

class Tuner(keras_tuner.Tuner):
    def run_trial(self, trial, **_):
        values = trial.hyperparameters.values
        if values["units"] % 5 == 0:
            raise ValueError("units are a multiple of five")
        return {"score": values["units"]}

make, settings = {
    "random": (SizeConstrainedRandomOracle, {}),
    "NSGA-II": (NSGA2Oracle, {"population": 3, "exploitation": 1}),
    "controller": (ControllerOracle, {"controller": Controller(budget=12, batch=2, exploration=0)}),
}[sys.argv[2]]
oracle = make(
    ("score", "max"), 12, cost=lambda values: values["units"], minimum=11,
    objectives=[("cost", "min")], max_consecutive_failed_trials=None, **settings
)
tuner = Tuner(oracle, space, directory=sys.argv[1], project_name="p")
tuner.search(verbose=0)
"""
KINDS = ("random", "NSGA-II", "controller")
WORKERS = ("worker0", "worker1")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """The directory of each oracle's search, and its workers' exit codes; all run at once."""
    directories = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    processes = {}
    with contextlib.ExitStack() as stack:
        for kind, directory in directories.items():
            shared = {
                **os.environ,
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": free_port(),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            }
            for name in ("chief", *WORKERS):
                process = subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, str(directory), kind],
                    env={**shared, "KERASTUNER_TUNER_ID": name},
                    stdout=stack.enter_context((directory / f"{name}.log").open("w")),
                    stderr=subprocess.STDOUT,
                )
                stack.callback(process.wait)
                stack.callback(process.kill)
                processes[kind, name] = process
        codes = {
            # the chief sleeps up to 20 s between its looks
            kind: [processes[kind, name].wait(timeout=600) for name in WORKERS]
            for kind in KINDS
        }
    return {kind: (directories[kind], codes[kind]) for kind in KINDS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_workers_of_a_chief_share_the_trials(kind, searches):
    directory, codes = searches[kind]
    logs = {path.stem: path.read_text() for path in directory.glob("*.log")}
    print("\n".join(log[-2000:] for log in logs.values()))  # shown when the test fails
    assert 0 in codes
    for name, code in zip(WORKERS, codes, strict=True):
        # KerasTuner's chief leaves when no trial runs; who asks it afterwards finds nobody there.
        assert code == 0 or "UNAVAILABLE" in logs[name]
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
