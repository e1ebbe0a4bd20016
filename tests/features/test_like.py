"""Front ends found in files: settings come back from files that were written of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment, load
from kerasnas.experiment.like import front_end_of, probes
from kerasnas.export.flatbuffer.metadata import Metadata
from kerasnas.export.waveforms.front_end import WaveformFrontEnd, front_end_file
from kerasnas.export.waveforms.recognise import FoundFrontEnd, recognise
from kerasnas.features import LogMel, read
from kerasnas.features.like import LIMIT, largest_difference, settings_like
from kerasnas.flow.task.waveform import graph_front_end
from tests.real_data import esc10_root, yamnet_file

TENSORFLOW = {
    "sample_rate": 16000,
    "n_fft": 512,
    "window_length": 400,
    "window_place": "start",
    "hop_length": 160,
    "center": False,
    "power": 1,
    "mel_bins": 40,
    "fmin": 125.0,
    "fmax": 7500.0,
    "mel_norm": None,
    "htk": True,
    "mel_axis": "mel",
    "log": "log",
    "log_offset": 1e-3,
}
CASES: dict[str, dict[str, Any]] = {
    "as TensorFlow has it": TENSORFLOW,
    "as librosa has it": {"sample_rate": 8000, "n_fft": 256, "mel_bins": 20, "log": "log"},
    "centred in the transform, a floor": {
        **{"sample_rate": 22050, "n_fft": 512, "window_length": 300, "window": "hamming"},
        **{"center": False, "log": "log", "amin": 1e-6, "fmin": 50.0, "fmax": 11000.0},
    },
}


def found_in(settings: LogMel, rate: int | None) -> FoundFrontEnd:
    content = front_end_file(graph_front_end(settings))
    found = recognise(content, Metadata(sample_rate=rate))
    assert found is not None
    return found


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_settings_come_back_from_a_file(values: dict[str, Any]) -> None:
    settings = LogMel(**values)
    found = found_in(settings, settings.sample_rate)
    again = settings_like(found)
    assert again.model_dump(exclude={"fmin", "fmax", "amin"}) == settings.model_dump(
        exclude={"fmin", "fmax", "amin"}
    ) | {"top_db": 80.0}
    assert again.fmin == pytest.approx(settings.fmin, abs=0.5)
    assert again.highest == pytest.approx(settings.highest, abs=0.5)
    assert again.amin == pytest.approx(settings.amin, rel=1e-4)
    assert largest_difference(found, again, probes(again)) < LIMIT
    other = again.model_copy(update={"fmin": again.fmin + 20})
    assert largest_difference(found, other, probes(other)) > LIMIT


def test_the_rate_of_a_file_that_does_not_say_it_is_found_by_its_bands() -> None:
    settings = LogMel(**{**TENSORFLOW, "sample_rate": 22050})
    assert settings_like(found_in(settings, None)).sample_rate == 22050


def test_other_front_ends_are_refused() -> None:
    front = graph_front_end(LogMel(**TENSORFLOW))

    def settings(**values: Any) -> LogMel:
        found = recognise(front_end_file(WaveformFrontEnd(**{**vars(front), **values})), Metadata())
        assert found is not None
        return settings_like(found)

    with pytest.raises(KerasnasError, match="is no periodic hann, hamming, blackman, boxcar"):
        settings(window=np.pad(np.linspace(0.1, 1, 400, dtype=np.float32), (0, 112)))
    with pytest.raises(KerasnasError, match="bank of 40 filters is no mel bank"):
        settings(filters=front.filters[::-1].copy())


def test_a_file_of_a_spectrogram_does_not_say_how_it_is_made(tmp_path: Path) -> None:
    import tensorflow as tf

    function = tf.function(lambda x: x * 2.0)
    concrete = function.get_concrete_function(tf.TensorSpec((1, 24, 16, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    (tmp_path / "pictures.tflite").write_bytes(converter.convert())
    with pytest.raises(KerasnasError, match=r"pictures\.tflite takes a spectrogram.*n_fft"):
        front_end_of(tmp_path / "pictures.tflite")


def test_an_experiment_records_the_numbers_and_the_files_digest(tmp_path: Path) -> None:
    file = tmp_path / "front.tflite"
    file.write_bytes(front_end_file(graph_front_end(LogMel(**TENSORFLOW))))
    given = {"name": "x", "features": {"like": str(file), "seconds": 3.0}}
    experiment = Experiment.model_validate(given)
    features = experiment.features
    assert isinstance(features, LogMel)
    assert features.seconds == 3.0
    assert features.hop_length == 160
    assert features.like is not None
    assert features.like.file == file
    assert len(features.like.sha256) == 64
    file.unlink()  # a run needs it once
    assert Experiment.model_validate(yaml.safe_load(experiment.to_yaml())) == experiment


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"hop_length": 128}, "hop_length: 128 is given beside like: .*own is 160: leave it out"),
        ({"kind": "scalogram"}, "like: goes with kind: log_mel, not scalogram"),
        ({"like": "none.tflite"}, r"x\.yaml:\d: features: like: none.tflite does not exist"),
    ],
)
def test_what_does_not_go_with_a_file_is_refused_with_its_line(
    features: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "front.tflite"
    file.write_bytes(front_end_file(graph_front_end(LogMel(**TENSORFLOW))))
    data = {"name": "x", "features": {"like": str(file), **features}}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=True).replace("features:", "\nfeatures:"))
    with pytest.raises(KerasnasError, match=message):
        load(path)


@pytest.mark.slow
def test_yamnets_front_end_is_computed_to_a_thousandth() -> None:
    found, settings = front_end_of(yamnet_file())
    expected = {**TENSORFLOW, "mel_bins": 64, "seconds": 0.975}
    assert {name: getattr(settings, name) for name in expected} == expected
    recordings = sorted((esc10_root() / "audio").glob("*.wav"))[::40]
    waves = [read(path, settings.sample_rate)[:, 0] for path in recordings]
    assert largest_difference(found, settings, waves) < LIMIT
