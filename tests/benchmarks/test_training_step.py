"""The benchmark of a training step: a contestant that ends early spoils nothing."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "training_step.py"


@pytest.fixture
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_step", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contestant(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_first_measurement_includes_tracing_and_does_not_count(benchmark) -> None:
    code = "print('hello'); [print('rate', *pair) for pair in ((9, 9), (1, 4), (2, 6), (3, 5))]"
    assert benchmark.measure(contestant(code), {}) == ((2.0, 5.0), "")


def test_the_environment_reaches_the_contestant(benchmark) -> None:
    code = "import os; [print('rate', os.environ['RATE'], 1) for _ in range(4)]"
    assert benchmark.measure(contestant(code), {"RATE": "7"}) == ((7.0, 1.0), "")


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("print('rate 1 2'); raise SystemExit('no memory')", "it ended with code 1 (no memory)"),
        ("import os; os.kill(os.getpid(), 9)", "it ended with code -9 (no message)"),
        ("print('rate 1 2')", "it ended with code 0 (no message)"),
    ],
)
def test_a_contestant_that_ends_is_named(benchmark, code: str, end: str) -> None:
    assert benchmark.measure(contestant(code), {}) == (None, end)
