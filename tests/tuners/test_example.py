"""The example for users of KerasTuner runs, and its size formula is true."""

import importlib.util
from pathlib import Path

import keras_tuner
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "keras_tuner_random.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("keras_tuner_random", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_size_formula_counts_what_keras_builds(example):
    for layers, filters in [(1, 8), (2, 24)]:
        hp = keras_tuner.HyperParameters()
        hp.values = {"layers": layers, "filters": filters, "learning_rate": 0.001}
        assert example.parameters(hp.values) == example.build(hp).count_params()


@pytest.mark.slow
def test_example_searches_and_continues(example, tmp_path, capsys):
    example.main(str(tmp_path), trials=1, epochs=1)
    oracle = example.main(str(tmp_path), trials=2, epochs=1)
    assert [trial.status for trial in oracle.search.trials] == ["completed"] * 2, [
        trial.message for trial in oracle.search.trials
    ]
    assert all(trial.cost <= example.LIMIT for trial in oracle.search.trials)
    assert "candidates over 8000 parameters cost no training" in capsys.readouterr().out
