"""What all tests need: interrupts that arrive, nightly tests on demand, and their fresh seeds."""

import os
import secrets
import signal
import zlib

import pytest

# A shell starts jobs in the background with interrupts ignored, and every child inherits that:
# tests that interrupt a program would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

SEED = "KERASNAS_NIGHTLY_SEED"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--nightly`."""
    parser.addoption(
        "--nightly",
        action="store_true",
        help="also run what is marked nightly, and draw fresh seeds, which are printed "
        f"(${SEED} repeats one)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the night's seed once, for all processes of pytest-xdist."""
    if config.getoption("--nightly"):
        os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Print the night's seed."""
    return f"nightly seed: {os.environ[SEED]}" if config.getoption("--nightly") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nightly tests out of every other run."""
    if config.getoption("--nightly"):
        return
    left_out = [item for item in items if item.get_closest_marker("nightly")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own: always the same in `make test`, another every night."""
    night = os.environ[SEED] if request.config.getoption("--nightly") else ""
    return zlib.crc32(f"{night}{request.node.nodeid}".encode())
