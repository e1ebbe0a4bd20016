"""Files that take the waveform: against the features of the training, and in MediaPipe."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from kerasnas.errors import KerasnasError
from kerasnas.export import ExportError
from kerasnas.export.waveforms.front_end import front_end_file
from kerasnas.features import Embedding, LogMel, Mfcc, Pcen, Scalogram, clip_features, read
from kerasnas.flow.commands.evaluate import evaluate
from kerasnas.flow.commands.export import export_run
from kerasnas.flow.commands.predict import predict
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.task import load_task
from kerasnas.flow.task.waveform import graph_front_end

MEDIAPIPE = Path(
    os.environ.get(
        "KERASNAS_MEDIAPIPE", Path(__file__).parents[3] / ".venv-mediapipe" / "bin" / "python"
    )
)
SMALL = {"sample_rate": 8000, "n_fft": 256, "hop_length": 160, "mel_bins": 20, "seconds": 0.5}
CASES = {
    "all defaults": LogMel(),
    "window shorter than the transform": LogMel(**SMALL, window_length=200, window="hamming"),
    "magnitudes, HTK's scale, no area norm": LogMel(
        **SMALL, power=1, htk=True, mel_norm=None, window="blackman", fmin=100, fmax=3500
    ),
    "the largest is 0 dB": LogMel(**SMALL, ref="max", top_db=40),
    "a reference, nothing raised": LogMel(**SMALL, ref=3.0, top_db=None, window="boxcar"),
    "natural logarithm, not centred": LogMel(**SMALL, log="log", amin=1e-6, center=False),
    "as TensorFlow has it: zeros behind the window, an offset, triangles on the mel axis": LogMel(
        **SMALL,
        window_length=200,
        window_place="start",
        center=False,
        power=1,
        htk=True,
        mel_norm=None,
        mel_axis="mel",
        log="log",
        log_offset=1e-3,
    ),
    "cepstral coefficients": Mfcc(**SMALL, coefficients=12, lifter=22),
    "segments with silence": LogMel(
        **SMALL, segment_frames=10, segment_hop=8, segment_rest="silence"
    ),
    "scalogram": Scalogram(
        sample_rate=8000, n_fft=512, octaves=6, filters_per_octave=8, hop_length=160, seconds=0.5
    ),
}


def in_file_and_training(settings: LogMel | Mfcc | Scalogram) -> tuple[np.ndarray, np.ndarray]:
    """Features of a fading noise, by a file's front end and by that of the training."""
    rng = np.random.default_rng(7)
    fading = np.geomspace(1, 1e-3, settings.samples)
    waveform = (fading * rng.normal(0, 0.2, settings.samples)).astype(np.float32)
    interpreter = Interpreter(model_content=front_end_file(graph_front_end(settings)))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform)
    interpreter.invoke()
    found = [interpreter.get_tensor(end["index"]) for end in interpreter.get_output_details()]
    return np.array(found)[..., None], clip_features(waveform[:, None], settings)


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_features_are_those_of_the_training(settings: LogMel | Mfcc | Scalogram) -> None:
    found, expected = in_file_and_training(settings)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_scalogram_of_a_logarithm_is_that_of_the_training() -> None:
    """Its values are sums over many frequencies, of hundreds of dB."""
    settings = CASES["scalogram"].model_copy(update={"logarithm": "before_bank"})
    found, expected = in_file_and_training(settings)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_front_ends_that_no_file_can_have_are_refused() -> None:
    with pytest.raises(ExportError, match="400 samples: take a power of two"):
        graph_front_end(LogMel(n_fft=400))
    with pytest.raises(KerasnasError, match="of 2: leave waveform out, or train with channels: m"):
        graph_front_end(LogMel(channels="stereo"))
    with pytest.raises(KerasnasError, match="kind pcen go by a moving average"):
        graph_front_end(Pcen())
    with pytest.raises(KerasnasError, match="kind embedding are made by another network"):
        graph_front_end(Embedding(model=Path("x.tflite"), values=4, frames=1))


@pytest.fixture(scope="module")
def exported(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    directory = tmp_path_factory.mktemp("waveform")
    return export_run(searched, output=directory, on_fail="report", waveform=True)


@pytest.fixture(scope="module")
def recordings(searched: Path) -> list[Path]:
    """Three test clips."""
    task = load_task(read_experiment(searched))
    return [task.clips[int(index)].path for index in task.split.test[:3]]


@pytest.mark.slow
def test_waveform_files_score_as_the_files_behind_them(
    exported: Exported, recordings: list[Path], workspace: Path
) -> None:
    for name, entry in exported.report.files.items():
        whole = entry.waveform
        path = exported.directory / f"model_{name}_waveform.tflite"
        assert whole.file == path.name
        assert whole.bytes == path.stat().st_size
        assert whole.classifier_bytes == entry.bytes
        assert whole.front_end_bytes + whole.classifier_bytes == whole.bytes
        assert whole.mediapipe
        checks = {c.name: c for c in exported.report.checks if c.file == path.name}
        assert checks["features"].verdict == "passed"
        assert checks["budget"].received == whole.bytes
        for recording in recordings:
            behind = predict(exported.directory / entry.file, recording)
            found = predict(path, recording)
            assert found.times == behind.times
            # A step of the integer input can go to the other side for a last bit of a feature.
            np.testing.assert_allclose(found.scores, behind.scores, atol=0.02)
        said = "\n".join(exported.lines())
        assert str(path) in said
        assert f"{entry.bytes:,} bytes ({entry.stock_bytes:,} by the stock converter)" in said
    again = evaluate(path, experiment=workspace / "small.yaml")
    assert again.metrics["accuracy"] == pytest.approx(whole.accuracy)


@pytest.mark.slow
@pytest.mark.skipif(
    not MEDIAPIPE.exists(),
    reason=f"{MEDIAPIPE} is not there: `make mediapipe-test` makes an environment with mediapipe",
)
def test_mediapipe_gives_the_label_that_predict_gives(
    exported: Exported, recordings: list[Path], tmp_path: Path
) -> None:
    rate = exported.report.files["int8"].waveform.sample_rate
    waveforms = np.array([read(path, rate)[:4000, 0] for path in recordings])
    np.savez(tmp_path / "given.npz", waveforms=waveforms, sample_rate=rate)
    script = Path(__file__).with_name("mediapipe_labels.py")
    for name in exported.files:
        path = exported.directory / f"model_{name}_waveform.tflite"
        command = [MEDIAPIPE, "-P", script, path, tmp_path / "given.npz"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for recording, scores in zip(recordings, json.loads(printed), strict=True):
            own = predict(path, recording)
            assert (
                max(scores, key=lambda label: scores[label]) == own.classes[own.scores[0].argmax()]
            )
            expected = dict(zip(own.classes, own.scores[0].tolist(), strict=True))
            assert scores == pytest.approx(expected, abs=1e-5)
