"""Scores of recordings by an exported file; test_search.py has whole files."""

import csv
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from rich.console import Console
from typer.testing import CliRunner

from kerasnas import export
from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel
from kerasnas.flow.commands.predict import (
    Prediction,
    find_recordings,
    predict,
    predict_files,
    write_rows,
)
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import FrontEndDescription
from tests.real_data import yamnet_file

CLASSES = ("rain", "dog [wet]")
SCORES = np.array([[0.7, 0.3], [0.45, 0.55], [0.2, 0.9]], np.float32)
TIMES = ((0.0, 1.0), (1.0, 2.0), (1.5, 2.5))


def tagged(thresholds: tuple[float, float] | None, one_label: bool) -> Prediction:
    limits = None if thresholds is None else np.array(thresholds)
    return Prediction(Path("a.wav"), CLASSES, TIMES, SCORES, limits, one_label)


@pytest.mark.parametrize(
    ("thresholds", "one_label", "expected"),
    [
        (None, True, ["rain", "dog [wet]", "dog [wet]"]),
        ((0.6, 0.6), True, ["rain", "unknown", "dog [wet]"]),
        ((0.4, 0.25), False, ["rain;dog [wet]", "rain;dog [wet]", "dog [wet]"]),
        ((0.8, 0.95), False, ["unknown"] * 3),
    ],
)
def test_clips_in_which_nothing_is_heard_are_unknown(
    thresholds: tuple[float, float] | None, one_label: bool, expected: list[str]
) -> None:
    found = tagged(thresholds, one_label)
    assert [row["tags"] for row in found.rows()] == expected
    cells = list(found.table().columns[1].cells)
    assert [cell.startswith("unknown (") for cell in cells] == [
        tags == "unknown" for tags in expected
    ]


def test_no_name_of_a_class_hides_another_column() -> None:
    row = Prediction(Path("a.wav"), ("stop", "tags"), TIMES, SCORES).rows()[1]
    assert (row["stop"], row["score_stop"]) == (2.0, 0.45)
    assert (row["tags"], row["score_tags"]) == ("tags", 0.55)


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    found = Prediction(Path(os.fsdecode(b"caf\xe9.wav")), CLASSES, TIMES, SCORES)
    write_rows([found], tmp_path / "all.csv")
    assert "caf\\xe9.wav" in (tmp_path / "all.csv").read_text()
    assert str(found.table().title) == "caf\\xe9.wav"


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    found = Prediction(Path("a[/red].ogg"), CLASSES, TIMES, SCORES)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(found.table())
    shown = console.export_text()
    assert "a[/red].ogg" in shown
    assert "dog [wet] 0.90" in shown


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose network answers how loud the lower and the upper half of the spectrum are."""
    settings = LogMel(sample_rate=8000, seconds=0.5, n_fft=256, hop_length=200, mel_bins=2)
    paths = ExportPaths(tmp_path)
    FrontEndDescription(settings.model_dump(mode="json"), {}, {}).write(paths.front_end)
    paths.labels.write_text("low\nhigh\n")
    path = tmp_path / "model.tflite"
    path.touch()
    network = SimpleNamespace(
        outputs=2,
        input_shape=settings.input_shape,
        predict=lambda x: 1 / (1 + np.exp(-x.mean(axis=(1, 3)) / 20)),
    )
    monkeypatch.setattr(export, "load", lambda path: network)
    return path


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    root = tmp_path / "recordings"
    (root / "more").mkdir(parents=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    for name in ("b.wav", "a.wav", "more/c.flac"):
        soundfile.write(root / name, noise, 8000)
    (root / "notes.txt").write_text("no recording")
    (root / "._a.wav").write_bytes(b"what a file system keeps beside a file")
    return root


def test_directories_and_patterns_are_searched(recordings: Path) -> None:
    names = [str(path.relative_to(recordings)) for path in find_recordings([recordings])]
    assert names == ["a.wav", "b.wav", "more/c.flac"]
    assert find_recordings([recordings / "*.wav", recordings / "a.wav"]) == (
        recordings / "a.wav",
        recordings / "b.wav",
    )
    assert find_recordings([str(recordings / "**" / "*.flac")]) == (recordings / "more/c.flac",)
    with pytest.raises(KerasnasError, match=r"\*\.ogg matches no file"):
        find_recordings([recordings / "*.ogg"])
    (recordings / "none").mkdir()
    with pytest.raises(KerasnasError, match="none holds no recordings"):
        find_recordings([recordings / "none"])


def test_a_broken_recording_is_named_when_all_others_are_done(
    model: Path, recordings: Path
) -> None:
    (recordings / "a.wav").write_bytes(b"RIFF")
    done: list[Prediction] = []
    with pytest.raises(KerasnasError, match=r"(?s)1 of 3 recordings:.*a\.wav"):
        done.extend(predict_files(model, [recordings]))
    assert [prediction.recording.name for prediction in done] == ["b.wav", "c.flac"]


def test_the_command_writes_tables(model: Path, recordings: Path) -> None:
    table = recordings / "out" / "all.csv"
    command = ["predict", str(model), str(recordings), "--hop", "0.25", "--threshold", "0.99"]
    ended = CliRunner().invoke(app, [*command, "--csv", str(table)])
    assert ended.exit_code == 0, ended.output
    assert "unknown (" in ended.output
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["start"] for row in rows[:3]] == ["0.0", "0.25", "0.5"]
    assert {row["tags"] for row in rows} == {"unknown"}
    listed = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert [{k: str(v) for k, v in row.items()} for clips in listed for row in clips] == rows
    assert set(rows[0]) == {"recording", "start", "stop", "tags", "score_low", "score_high"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hop_seconds": 0}, "hop_seconds: 0"),
        ({"hop_seconds": float("inf")}, "hop_seconds: inf"),
        ({"threshold": 2}, "threshold: 2 is no score"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    model: Path, recordings: Path, arguments: dict, message: str
) -> None:
    with pytest.raises(KerasnasError, match=message):
        predict(model, recordings / "a.wav", **arguments)


def test_channels_that_are_examples_may_be_any_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LogMel(
        sample_rate=8000, seconds=0.5, n_fft=256, hop_length=200, mel_bins=2, channel_examples=4
    )
    paths = ExportPaths(tmp_path)
    FrontEndDescription(settings.model_dump(mode="json"), {}, {}).write(paths.front_end)
    paths.labels.write_text("low\nhigh\n")
    model = tmp_path / "model.tflite"
    model.touch()
    network = SimpleNamespace(  # it answers the mean of either bin
        outputs=2, input_shape=settings.input_shape, predict=lambda x: x.mean(axis=(1, 3))
    )
    monkeypatch.setattr(export, "load", lambda path: network)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 2))
    files = {"left": noise[:, 0], "right": noise[:, 1] / 8, "both": noise / (1, 8)}
    scores = {}
    for name, waveform in files.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, waveform, 8000, subtype="FLOAT")
        scores[name] = predict(model, path).scores
        assert f"recording: {path}, clips: 1 in 0.5 s" in repr(predict(str(model), str(path)))
    assert scores["both"].shape == (1, 2)
    assert scores["both"] == pytest.approx((scores["left"] + scores["right"]) / 2, rel=1e-5)
    assert not np.allclose(scores["left"], scores["right"])


def _foreign(path: Path, samples: int, *metadata: bytes, labels: tuple[str, ...] = ()) -> Path:
    """A file whose scores are the first samples of its waveform."""
    from kerasnas.export.flatbuffer.graph import TfliteFile
    from kerasnas.export.flatbuffer.metadata import BUFFER, with_labels
    from kerasnas.export.flatbuffer.writer import GraphWriter

    file = TfliteFile()
    main = file.main
    writer = GraphWriter(main)
    waveform = main.tensor((samples,), "float32")
    bounds = (writer.indices([0]), writer.indices([2]))
    first = writer.write("SLICE", (waveform, *bounds), (2,), "float32")
    scores = writer.reshape(first, (1, 2))
    main.t.inputs, main.t.outputs = [waveform.place], [scores.place]
    for data in metadata:
        entry = file.schema.MetadataT()
        entry.name, entry.buffer = BUFFER, file.buffer(data)
        file.model.metadata = [entry]
    content = file.content()
    path.write_bytes(with_labels(content, labels) if labels else content)
    return path


def test_a_file_from_elsewhere_says_its_rate_and_labels_itself(tmp_path: Path) -> None:
    from kerasnas.export.flatbuffer.metadata import audio_metadata

    model = _foreign(
        tmp_path / "foreign.tflite", 400, audio_metadata("net", 8000), labels=("left", "right")
    )
    waveform = np.linspace(0, 0.5, 1000, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", waveform, 8000, subtype="FLOAT")
    found = predict(model, tmp_path / "a.wav")
    assert found.classes == ("left", "right")
    assert found.times == ((0.0, 0.05), (0.05, 0.1), (0.075, 0.125))
    np.testing.assert_allclose(found.scores, [waveform[i : i + 2] for i in (0, 400, 600)])


@pytest.mark.parametrize(
    ("rate", "labels", "samples", "message"),
    [
        (8000, (), 400, "its metadata have only a sample rate"),
        (None, ("a", "b"), 400, "its metadata have only labels"),
        (None, (), 400, "its metadata have neither"),
        (8000, ("a", "b", "c"), 400, "gives 2 scores and has 3 labels"),
    ],
)
def test_a_file_from_elsewhere_that_does_not_say_enough(
    tmp_path: Path, rate: int | None, labels: tuple[str, ...], samples: int, message: str
) -> None:
    from kerasnas.export.flatbuffer.metadata import audio_metadata

    metadata = () if rate is None else (audio_metadata("net", rate),)
    model = _foreign(tmp_path / "foreign.tflite", samples, *metadata, labels=labels)
    with pytest.raises(KerasnasError, match=message):
        predict(model, tmp_path / "a.wav")


def test_yamnet_hears_speech() -> None:
    model = yamnet_file()
    found = predict(model, model.with_name("speech.wav"))
    means = found.scores.mean(axis=0)
    assert len(found.classes) == 521
    assert found.classes[int(means.argmax())] == "Speech"
    assert means.max() > 0.5
