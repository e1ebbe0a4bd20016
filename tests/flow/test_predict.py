"""Scores of recordings by an exported file; whole ones are in test_search.py."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from kerasnas import export
from kerasnas.features import LogMel
from kerasnas.flow.commands.predict import predict
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import FrontEndDescription


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
