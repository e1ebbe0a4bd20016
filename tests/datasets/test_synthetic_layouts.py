"""The example that writes small data in public layouts: the papers' experiments read it."""

import importlib.util
from pathlib import Path

import pytest

from kerasnas import experiment
from kerasnas.datasets import load
from kerasnas.datasets.layouts import LAYOUTS
from kerasnas.datasets.synthetic.layouts import WRITERS, write

HOME = Path(__file__).parents[2]
EXPERIMENTS = {  # and how many of 24 clips are read
    "chime_home": ("liu_zhang_2020", 0.75),  # not the raw ones
    "sins": ("nasc_2020", 2),  # as many again to test on
    "tau2020_3class": ("wu_lee_2020", 1),
    "audioset": ("li_2018", 1),
}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(
        "synthetic_layouts", HOME / "examples" / "synthetic_layouts.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("layout", EXPERIMENTS)
def test_the_papers_experiments_read_what_is_written(tmp_path: Path, layout: str) -> None:
    name, share = EXPERIMENTS[layout]
    data = experiment.load(HOME / "configs" / f"{name}.yaml").data
    write(layout, tmp_path / "data", 24)
    clips = load(data, tmp_path / "data", tmp_path / "cache")
    assert data.dataset == layout
    assert len(clips) == 24 * share


def test_every_layout_has_a_writer() -> None:
    names = {each.model_fields["dataset"].default for each in LAYOUTS}
    assert WRITERS.keys() == names - {"synthetic"}  # which is made where it is read


def test_every_layout_can_be_asked_for(example, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["synthetic_layouts", "esc50", str(tmp_path), "--clips", "4"])
    example.main()
    assert len(list((tmp_path / "audio").glob("*.wav"))) == 4
