"""The examples for users of KerasTuner run, and their size formulas are true."""

import importlib.util
import runpy
import sys
from pathlib import Path

import keras_tuner
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
RANDOM, NSGA2 = "keras_tuner_random", "keras_tuner_nsga2"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        (RANDOM, {"layers": 1, "filters": 8, "learning_rate": 0.001}),
        (RANDOM, {"layers": 2, "filters": 24, "learning_rate": 0.001}),
        (NSGA2, {"convolution": "full", "filters": 8, "kernel_size": 3, "layers": 1}),
        (NSGA2, {"convolution": "full", "filters": 16, "kernel_size": 5, "layers": 3}),
        (NSGA2, {"convolution": "separable", "filters": 24, "kernel_size": 3, "layers": 2}),
    ],
)
def test_size_formula_counts_what_keras_builds(name, values):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    module = example(name)
    assert module.parameters(values) == module.build(hp).count_params()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "printed"),
    [(RANDOM, "candidates over 8000 parameters cost no training"), (NSGA2, "hypervolume 0.")],
)
def test_example_searches_and_continues(name, printed, tmp_path, capsys):
    module = example(name)
    module.main(str(tmp_path), trials=1, epochs=1)
    oracle = module.main(str(tmp_path), trials=2, epochs=1)
    assert [trial.status for trial in oracle.search.trials] == ["completed"] * 2, [
        trial.message for trial in oracle.search.trials
    ]
    assert all(trial.cost <= module.LIMIT for trial in oracle.search.trials)
    assert printed in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", [RANDOM, NSGA2])
@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("--no-such-option", 2)])
def test_options_that_start_nothing_leave_nothing(name, option, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", option])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert ended.value.code == code
    assert not any(tmp_path.iterdir())
