"""Listening: to files of whole clips on a window, and to files of steps."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from kerasnas import export
from kerasnas.cli import app
from kerasnas.decisions import ClassDecisions, DecisionSettings
from kerasnas.errors import KerasnasError
from kerasnas.export.check.networks import StepNetwork
from kerasnas.features import LogMel, clip_features
from kerasnas.flow.commands.live.listen import Heard, Listener, listen
from kerasnas.flow.commands.live.sources import Block
from kerasnas.flow.commands.predict import predict
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import FrontEndDescription, Postprocessing

RATE = 8000
SETTINGS = LogMel(
    sample_rate=RATE,
    seconds=0.5,
    n_fft=256,
    hop_length=200,
    mel_bins=2,
    top_db=None,
    segment_frames=20,
)
CLASSES = ("low", "high")


def _loudness(features: Any) -> np.ndarray:
    """How loud the lower and the upper half of the spectrum are: `(n, 2)`, 0 to 1."""
    return 1 / (1 + np.exp(-(features.mean(axis=(1, 3)) + 10) / 5))


@dataclass(frozen=True)
class Steps(StepNetwork):
    """A network of four frames a step; its state is what a clip has had before them."""

    def begin(self) -> list[Any]:
        return [np.zeros((1, 16, 2, 1), np.float32)]

    def step(self, x: Any, states: Any) -> Any:
        clip = np.concatenate([states[0], x[None]], axis=1)
        return _loudness(clip)[0], [clip[:, 4:]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What makes a file of the clips' or the steps' network, with its front end and labels."""

    def make(network: Any = None, settings: LogMel = SETTINGS) -> Path:
        paths = ExportPaths(tmp_path)
        FrontEndDescription(settings.model_dump(mode="json"), {}, {}).write(paths.front_end)
        paths.labels.write_text("".join(f"{name}\n" for name in CLASSES))
        path = tmp_path / "model.tflite"
        path.touch()
        whole = SimpleNamespace(outputs=2, input_shape=settings.input_shape, predict=_loudness)
        monkeypatch.setattr(export, "load", lambda path: network or whole)
        return path

    return make


def _steps() -> Steps:
    return Steps(Path("model.tflite"), None, (2, 1), 2, 4)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds: silence, a low tone from 0.7 to 1.3 s, silence."""
    times = np.arange(2 * RATE) / RATE
    tone = np.where((times >= 0.7) & (times < 1.3), 0.5 * np.sin(2 * np.pi * 300 * times), 0)
    soundfile.write(tmp_path / "a.wav", tone, RATE, subtype="FLOAT")
    return tmp_path / "a.wav"


def _events(heard: list[Heard]) -> list[tuple[str, bool]]:
    return [(event.label, event.lasts) for each in heard for event in each.events]


def test_windows_have_the_scores_of_predict(opened: Any, recording: Path) -> None:
    model = opened()
    heard = list(listen(model, recording, fast=True, hop_seconds=0.1))
    found = predict(model, recording, 0.1)
    assert len(heard) == len(found.times) == 16
    np.testing.assert_allclose([(h.start, h.stop) for h in heard], found.times, atol=1e-9)
    np.testing.assert_allclose([h.scores for h in heard], found.scores, atol=1e-5)
    assert _events(heard) == [("low", True), ("low", False)]
    (begun,) = [event for each in heard for event in each.events if event.lasts]
    assert 0.5 < begun.start < 1.0


def test_steps_have_the_scores_of_whole_clips(opened: Any, recording: Path) -> None:
    model = opened(_steps())
    heard = list(listen(model, recording, fast=True))
    # 81 frames of the recording are 20 steps, of which the fifth ends the first clip.
    assert [round(h.stop, 3) for h in heard] == [round(0.1 * n, 3) for n in range(5, 21)]
    sound, _ = soundfile.read(recording, dtype="float32", always_2d=True)
    whole = SETTINGS.model_copy(update={"seconds": 2.0, "segment_frames": None})
    frames = clip_features(sound, whole)[0]
    for number, each in enumerate(heard):
        expected = _loudness(frames[None, 4 * number : 4 * number + 20])[0]
        np.testing.assert_allclose(each.scores, expected, atol=1e-5)
    assert _events(heard) == [("low", True), ("low", False)]


def test_steps_need_features_that_do_not_look_ahead(opened: Any, recording: Path) -> None:
    model = opened(_steps(), SETTINGS.model_copy(update={"top_db": 80.0}))
    with pytest.raises(KerasnasError, match="features.top_db: 80 counts from the largest value"):
        Listener(model)


def _decide(model: Path, hop: float, **low: Any) -> None:
    settings = DecisionSettings(
        window_seconds=0.5, hop_seconds=hop, classes={"low": ClassDecisions(**low)}
    )
    paths = ExportPaths(model.parent)
    Postprocessing("model.tflite", "streams", settings).write(paths.postprocessing)


def test_decisions_are_those_beside_the_file(opened: Any, recording: Path) -> None:
    for network in (None, _steps()):
        model = opened(network)
        _decide(model, 0.2, threshold=0.99, release=0.99)
        assert _events(list(listen(model, recording, fast=True))) == []
        _decide(model, 0.2, threshold=0.3, release=0.3)
        assert Listener(model).settings.hop_seconds == 0.2
        heard = list(listen(model, recording, fast=True))
        assert _events(heard) == [("low", True), ("low", False)]
        # Of windows 0.2 s apart, one is all tone; steps between them decide nothing.
        (begun,) = [event for each in heard for event in each.events if event.lasts]
        assert begun.decided == pytest.approx(1.3)


def test_decisions_between_steps_are_refused(opened: Any) -> None:
    model = opened(_steps())
    _decide(model, 0.05)
    with pytest.raises(KerasnasError, match=r"decides every 0.05 s, and a step of .* is 0.1 s"):
        Listener(model)


def test_levels_latency_and_load_are_told(opened: Any) -> None:
    now = iter(range(1000))
    listener = Listener(opened(), 0.25, clock=lambda: float(next(now)))
    square = np.tile(np.float32([[0.5], [-0.5]]), (RATE // 2, 1))
    found = list(listener.listen([Block(square[:2000], 0.0), Block(square, 0.0, lost=True)]))
    assert [round(each.level, 2) for each in found] == [-6.02, -120.0, -120.0, -120.0]
    # The clock goes on by a second whenever it is read: two blocks took one each.
    assert [each.latency for each in found] == [4.0, 5.0, 6.0, 7.0]
    assert found[0].load == pytest.approx(2 / 1.25)
    assert [each.lost for each in found] == [True, False, False, False]


def test_sound_that_is_shorter_than_a_clip_is_filled_up(opened: Any) -> None:
    listener = Listener(opened())
    sound = np.full((1000, 1), 0.5, np.float32)
    assert list(listener.listen([Block(sound, 0.0)])) == []
    (heard,) = (each for each in listener.finish() if len(each.scores))
    assert (heard.start, heard.stop) == (0.0, 0.125)
    expected = _loudness(clip_features(sound, SETTINGS))[0]
    np.testing.assert_allclose(heard.scores, expected, atol=1e-6)


def test_settings_that_do_not_fit_are_refused(opened: Any, recording: Path) -> None:
    model = opened()
    with pytest.raises(KerasnasError, match="hop_seconds: 0.6 does not fit"):
        Listener(model, 0.6)
    with pytest.raises(KerasnasError, match="fast: a microphone hears at real speed"):
        next(listen(model, fast=True))
    with pytest.raises(KerasnasError, match="device: 3 and a recording were given"):
        next(listen(model, recording, device=3))
    with pytest.raises(KerasnasError, match="goes step by step: leave it out"):
        Listener(opened(_steps()), 0.1)


def test_the_command_prints_scores_events_and_a_summary(opened: Any, recording: Path) -> None:
    command = ["listen", str(opened()), "--recording", str(recording), "--fast", "--hop", "0.1"]
    done = CliRunner().invoke(app, [*command, "--every", "0.5", "--top", "1"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert sum(" dB  " in line for line in lines) == 4
    assert any("low begins (0." in line for line in lines)
    assert any("low ends after" in line for line in lines)
    assert lines[-1].startswith("Heard 2.0 s: 16 rows of scores, 1 events, latency at most")


def test_the_command_gives_figures_to_programs(opened: Any, recording: Path) -> None:
    command = ["listen", str(opened()), "--recording", str(recording), "--fast", "--hop", "0.1"]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["seconds"] == pytest.approx(2.0)
    assert found["events"] == 1 and found["rows"] == 16 and found["load"] > 0


def test_a_recording_that_cannot_be_read_ends_with_one_message(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    command = ["listen", str(opened()), "--recording", str(tmp_path / "b.wav"), "--fast"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "cannot be read as audio" in done.output
