"""What all tests need: interrupts that arrive, few processes, nightly tests and fresh seeds."""

import gc
import os
import secrets
import signal
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from kerasnas.tuners.runners.environment import available_cores
from tests.effort import FACTOR

# Trainings here compute as in a worker that has all cores, to the last digit. TensorFlow reads
# this once, and knows nothing of a container's quota.
os.environ["TF_NUM_INTRAOP_THREADS"] = str(available_cores())
os.environ["TF_NUM_INTEROP_THREADS"] = "1"

# TensorFlow's import makes objects by the hundred thousand that stay: looking through them again
# and again for some to free took a fifth of it.
gc.set_threshold(50_000)

# A shell starts jobs in the background with interrupts ignored, and every child inherits that:
# tests that interrupt a program would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# By day the same examples every time, and few; at night others, and many (`effort`).
hypothesis.settings.register_profile("day", deadline=None, database=None, derandomize=True)
hypothesis.settings.register_profile("night", deadline=None, database=None, print_blob=True)

SEED = "KERASNAS_NIGHTLY_SEED"
_ROOMS = ("baselines", "export", "flow", "models", "test_cli.py")
WITH_CHILDREN = [Path(__file__).parent / room for room in _ROOMS]
WITH_KERAS = [
    *WITH_CHILDREN,
    *(Path(__file__).parent / room for room in ("blocks", "training", "tuners/oracles")),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--nightly` and `--effort`."""
    parser.addoption(
        "--nightly",
        action="store_true",
        help="also run what is marked nightly, and draw fresh seeds, which are printed "
        f"(${SEED} repeats one)",
    )
    parser.addoption(
        "--effort",
        type=float,
        default=1.0,
        metavar="N",
        help="with --nightly: N times as many examples of Hypothesis as in a usual night",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the night's seed once, for all processes of pytest-xdist, and of Hypothesis, too."""
    night = config.getoption("--nightly")
    if night:
        os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))
        hypothesis.core.global_force_seed = int(os.environ[SEED])
    hypothesis.settings.load_profile("night" if night else "day")
    FACTOR["night"] = config.getoption("--effort")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Print the night's seed."""
    return f"nightly seed: {os.environ[SEED]}" if config.getoption("--nightly") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nightly tests out of other runs; in several processes, begin with the slow files.

    pytest-xdist gives out files in the order of their tests: quick ones fill the end evenly.
    """
    if not config.getoption("--nightly"):
        left_out = [item for item in items if item.get_closest_marker("nightly")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own: always the same in `make test`, another every night."""
    night = os.environ[SEED] if request.config.getoption("--nightly") else ""
    return zlib.crc32(f"{night}{request.node.nodeid}".encode())


@pytest.fixture(scope="session", autouse=True)
def _children_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run in this process what would run in children; see `tests/processes.py`."""
    if not _any_of(request, WITH_CHILDREN):
        yield
        return
    from tests.processes import here

    with here():
        yield


@pytest.fixture(scope="session", autouse=True)
def _without_xla(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let models predict that are not compiled: XLA would compile each for seconds."""
    if not _any_of(request, WITH_KERAS):
        yield
        return
    from keras.src.trainers import trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "model_supports_jit", lambda model: False)
        yield


def _any_of(request: pytest.FixtureRequest, rooms: list[Path]) -> bool:
    """Return whether tests of these rooms are run."""
    return any(item.path.is_relative_to(room) for item in request.session.items for room in rooms)


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with a cache of one's own and no data set."""
    monkeypatch.setenv("KERASNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KERASNAS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def processes() -> Iterator[None]:
    """Workers and children of the export that are processes, for a test about them."""
    from tests.processes import elsewhere

    with elsewhere():
        yield
