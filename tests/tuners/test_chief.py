"""A smoke test under KerasTuner's own chief and worker processes."""

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
from kerasnas.tuners import SizeConstrainedRandomOracle

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

oracle = SizeConstrainedRandomOracle(
    ("score", "max"), 12, cost=lambda values: values["units"], minimum=11,
    max_consecutive_failed_trials=None,
)
tuner = Tuner(oracle, space, directory=sys.argv[1], project_name="p")
tuner.search(verbose=0)
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.mark.slow
def test_workers_of_a_chief_share_the_trials(tmp_path):
    shared = {
        **os.environ,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": free_port(),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    processes = []
    try:
        for name in ("chief", "worker0", "worker1"):
            with (tmp_path / f"{name}.log").open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-c", PROGRAM, str(tmp_path)],
                        env={**shared, "KERASTUNER_TUNER_ID": name},
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        ended = {}
        for name, worker in zip(("worker0", "worker1"), processes[1:], strict=True):
            ended[name] = worker.wait(timeout=240)  # the chief sleeps up to 20 s between its looks
    finally:
        for process in processes:
            process.kill()
        logs = "\n".join(path.read_text()[-2000:] for path in tmp_path.glob("*.log"))
        print(logs)  # shown when the test fails
    assert 0 in ended.values()
    for name, code in ended.items():
        # KerasTuner's chief leaves when no trial runs; who asks it afterwards finds nobody there.
        assert code == 0 or "UNAVAILABLE" in (tmp_path / f"{name}.log").read_text()
    trials = Results.read(tmp_path / "p").trials
    assert len(trials) == 12
    assert len({json.dumps(trial.values, sort_keys=True) for trial in trials}) == 12
    for trial in trials:
        units = trial.values["units"]
        assert units >= 11
        assert ("kernel" in trial.values) == (trial.values["family"] == "conv")
        if units % 5:
            assert (trial.status, trial.metrics) == ("completed", {"score": units})
        else:
            assert trial.status == "failed"
            assert "told no reason" in trial.message  # KerasTuner's protocol carries none
