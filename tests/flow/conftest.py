"""One small search that the tests of the flow look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

SMALL = {
    "schema": 1,
    "name": "small",
    "data": {
        "dataset": "synthetic",
        "classes": ["alarm", "speech", "vacuum_cleaner"],
        "clips": 150,
        "seconds": 0.5,
        "sample_rate": 8000,
    },
    "features": {
        "sample_rate": 8000,
        "seconds": 0.5,
        "n_fft": 256,
        "hop_length": 200,
        "mel_bins": 16,
    },
    "model": {"blocks": [1], "stem_filters": [4, 12]},
    "search": {"trials": 3, "workers": 1, "window": {"minimum": 4000, "maximum": 30_000}},
    "training": {"candidate": {"epochs": 2, "batch_size": 8}, "final": {"epochs": 3}},
    "export": {
        "budget": 30_000,
        "on_fail": "report",
        "calibration_clips": 8,
        "latency_runs": 3,
        "repeat": False,
    },
}


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with `small.yaml`, and a cache of its own for everything in it."""
    directory = tmp_path_factory.mktemp("flow")
    (directory / "small.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASNAS_CACHE", str(directory / "cache"))
        patch.delenv("KERASNAS_DATA", raising=False)
        patch.chdir(directory)
        yield directory


@pytest.fixture(scope="session")
def searched(workspace: Path) -> Path:
    """The run directory of a finished search."""
    from kerasnas.flow.commands.search import search

    search(workspace / "small.yaml")
    return workspace / "runs" / "small"


@pytest.fixture(params=["here", pytest.param("in processes", marks=pytest.mark.nightly)])
def in_processes(request: pytest.FixtureRequest) -> bool:
    """Whether workers are processes; at night they are, too."""
    if request.param == "here":
        return False
    request.getfixturevalue("processes")
    return True
