"""`kerasnas inspect FOLDER`: what is found about recordings, and the page that shows it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import yaml
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.looking.data import inspect_data
from tests.real_data import yamnet_file

RATE = 8000
CLIPS = 12


def tone(label: str, index: int) -> np.ndarray:
    """A low or a high tone in noise, of a level of its own."""
    rng = np.random.default_rng(1000 * ("cat", "dog").index(label) + index)
    time = np.arange(RATE // 2) / RATE
    frequency = {"cat": 400, "dog": 2500}[label] * rng.uniform(0.9, 1.1)
    return 0.1 * np.sin(2 * np.pi * frequency * time) + 0.01 * rng.standard_normal(len(time))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERASNAS_DATA", raising=False)
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(CLIPS):
            soundfile.write(tmp_path / "data" / label / f"{index}.wav", tone(label, index), RATE)
    return tmp_path / "data"


def spoil(folder: Path) -> None:
    """Put in what should be found."""
    soundfile.write(folder / "cat" / "loud.wav", np.clip(20 * tone("cat", 50), -1, 1), RATE)
    soundfile.write(folder / "cat" / "silent.wav", np.zeros(RATE // 2), RATE)
    soundfile.write(folder / "cat" / "wrong<b>.wav", 0.9 * tone("dog", 5), RATE)
    fast = soxr.resample(tone("dog", 52), RATE, 2 * RATE)
    soundfile.write(folder / "dog" / "fast.wav", fast, 2 * RATE)
    (folder / "dog" / "copy.wav").write_bytes((folder / "dog" / "3.wav").read_bytes())


def test_what_is_wrong_is_found(folder: Path) -> None:
    spoil(folder)
    found = inspect_data(folder)
    assert (found.clips, found.classes) == (29, {"cat": CLIPS + 3, "dog": CLIPS + 2})
    assert found.copies == {"dog/copy.wav": "dog/3.wav"}
    assert found.clipped == ("cat/loud.wav",)
    assert found.silent == ("cat/silent.wav",)
    assert found.suspects["cat/wrong<b>.wav"] == "labelled cat, looks like dog"
    assert set(found.suspects) <= {"cat/wrong<b>.wav", "cat/loud.wav"}  # clipping adds overtones
    page = found.page.read_text()
    assert page.count("<circle") == page.count("data:image/png") == 29
    assert "8,000, 16,000" in page
    assert "<b>" not in page and "wrong&lt;b&gt;.wav" in page
    assert "audio/mpeg" not in page and "<script" not in page


def test_every_point_leads_to_its_clip(folder: Path) -> None:
    page = inspect_data(folder).page.read_text()
    targets = re.findall(r'<a href="#(clip-\d+)" aria-label="[^"]+"><circle', page)
    assert len(targets) == 2 * CLIPS
    assert all(f'id="{target}"' in page for target in targets)
    places = np.array(re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', page), float)
    assert places.min() >= 0
    assert (places.max(axis=0) <= (640, 420)).all()
    assert page == inspect_data(folder).page.read_text()  # the same again


def test_sounds_are_there_only_where_they_are_wanted(folder: Path, tmp_path: Path) -> None:
    settings = {"name": "x", "data": {"dataset": "folder", "root": str(folder)}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(settings | {"report": {"audio": True}}))
    heard = CliRunner().invoke(app, ["inspect", "x.yaml", "-o", "heard.html", "--json"])
    assert heard.exit_code == 0, heard.output
    assert json.loads(heard.stdout)["page"] == "heard.html"
    assert Path("heard.html").read_text().count("audio/mpeg") == 2 * CLIPS
    silent = CliRunner().invoke(app, ["inspect", "x.yaml", "--no-audio"])
    assert "labels to check: 0" in silent.stdout
    assert "audio/mpeg" not in Path("data.html").read_text()


def test_few_clips_have_no_map(folder: Path) -> None:
    for path in sorted(folder.glob("*/*.wav")):
        if int(path.stem) > 1:
            path.unlink()
    page = inspect_data(folder).page.read_text()
    assert "There are too few clips for a map." in page
    assert "0.50 to 0.50 s" in page


def test_recordings_that_cannot_be_read_are_named_together(folder: Path) -> None:
    for name in ("cat/1.wav", "dog/2.wav"):
        (folder / name).write_text("no sound")
    with pytest.raises(KerasnasError, match=r"(?s)cat/1.wav: cannot be read.*dog/2.wav: cannot"):
        inspect_data(folder)
    ended = CliRunner().invoke(app, ["inspect", str(folder / "cat"), "--quiet"])
    assert ended.exit_code == 2


@pytest.mark.slow
def test_clips_are_compared_by_a_pretrained_network(folder: Path) -> None:
    page = inspect_data(folder, pretrained=yamnet_file()).page.read_text()
    assert "alike by the answers of" in page
    assert page.count("<circle") == 2 * CLIPS
