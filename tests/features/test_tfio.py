"""Log-mel spectrograms by tensorflow-io: against our own, in batches, frozen, and its masks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from ai_edge_litert.interpreter import Interpreter
from pydantic import ValidationError

from kerasnas.datasets import Clip, Clips
from kerasnas.export.waveforms.front_end import front_end_file
from kerasnas.features import LogMel, TfioLogMel, clip_features, extract, front_end
from kerasnas.features.tfio import log_mel
from kerasnas.flow.task.waveform import graph_front_end
from kerasnas.training.recipe import Masks

pytest.importorskip("tensorflow_io")
pytestmark = pytest.mark.slow  # each imports TensorFlow, and traces graphs

SMALL = {"sample_rate": 8000, "seconds": 0.5, "n_fft": 256, "hop_length": 100, "mel_bins": 20}
SETTINGS = TfioLogMel(**SMALL, window_length=200, fmin=60)


def waves(count: int, samples: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    fading = np.geomspace(1, 1e-2, samples)
    return (0.2 * fading * rng.normal(size=(count, samples))).astype(np.float32)


def test_it_agrees_with_our_log_mel_within_a_tenth_of_a_decibel() -> None:
    """With bands that are triangles in hertz, as librosa has them."""
    ours = LogMel(
        **SMALL, window_length=200, fmin=60, center=False, power=1, htk=True, mel_norm=None,
        window_place="start", amin=1e-5,
    )  # fmt: skip
    x = waves(1)[0]
    expected = clip_features(x[:, None], ours)[0, ..., 0]
    found = clip_features(x[:, None], SETTINGS)[0, ..., 0]
    assert found.shape == SETTINGS.input_shape[:2] == (40, 20)
    loud = expected > expected.max() - 60
    difference = np.abs(found[: len(expected)] - expected)
    on_mel = ours.model_copy(update={"mel_axis": "mel"})
    alike = clip_features(x[:, None], on_mel)[0, ..., 0]
    np.testing.assert_allclose(found[: len(alike)], alike, atol=0.1)
    assert np.median(difference[loud]) < 0.5


def test_clips_of_a_batch_are_those_alone() -> None:
    x = waves(3)
    settings = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100, "mel_bins": 20}
    together = np.asarray(log_mel(x, **settings))
    assert together.shape == (3, 40, 20)
    for wave, features in zip(x, together, strict=True):
        np.testing.assert_allclose(np.asarray(log_mel(wave, **settings)), features, atol=1e-4)


def test_a_data_sets_features_are_those_of_its_clips(tmp_path: Path) -> None:
    clips = []
    for number, wave in enumerate(waves(5, 5000)):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, wave, 8000, subtype="FLOAT")
        clips.append(Clip(path.name, path, ("a",)))
    table = Clips(tuple(clips), ("a",), False, "some", tmp_path)
    settings = SETTINGS.model_copy(update={"segment_frames": 15, "segment_hop": 10})
    found = extract(table, settings, tmp_path / "cache", processes=2, progress=False)
    assert found.shape == (5, 3, 15, 20, 1)
    for row, wave in zip(found, waves(5, 5000), strict=True):
        np.testing.assert_allclose(row, clip_features(wave[:, None], settings), atol=1e-3)


def test_a_file_begins_with_the_same_graph() -> None:
    settings = SETTINGS.model_copy(update={"segment_frames": 15, "segment_hop": 10})
    interpreter = Interpreter(model_content=front_end_file(graph_front_end(settings)))
    interpreter.allocate_tensors()
    x = waves(1)[0]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    found = [interpreter.get_tensor(end["index"]) for end in interpreter.get_output_details()]
    expected = clip_features(x[:, None], settings)
    np.testing.assert_allclose(np.array(found)[..., None], expected, atol=1e-2)


def test_settings_are_those_that_its_functions_have() -> None:
    assert front_end(SETTINGS.model_dump(mode="json")) == SETTINGS
    with pytest.raises(ValidationError, match="window"):
        TfioLogMel(window="hamming")
    with pytest.raises(ValidationError, match="center"):
        TfioLogMel(center=True)


@pytest.mark.parametrize("axis", [0, 1])
def test_its_masks_are_one_stretch_as_ours(axis: int) -> None:
    import tensorflow as tf
    import tensorflow_io as tfio

    from kerasnas.training.augmentation import mask as our_mask

    tf.random.set_seed(3)
    rng = np.random.default_rng(3)
    widths: dict[str, list[int]] = {"theirs": [], "ours": []}
    seen = {name: np.zeros((40, 20)[axis], bool) for name in widths}
    for _ in range(400):
        spectrogram = np.ones((40, 20), np.float32)
        mask = tfio.audio.time_mask if axis == 0 else tfio.audio.freq_mask
        theirs = np.asarray(mask(tf.constant(spectrogram), param=5))
        once = Masks(count=1, width=5 / spectrogram.shape[axis])
        fill = np.zeros((20, 1), np.float32)
        ours = our_mask(spectrogram[None, ..., None].copy(), axis + 1, once, fill, rng)[0, ..., 0]
        for name, values in (("theirs", theirs), ("ours", ours)):
            hidden = (values == 0).all(axis=1 - axis)
            assert ((values == 0).any(axis=1 - axis) == hidden).all(), "whole rows or columns"
            edges = np.flatnonzero(np.diff(np.r_[0, hidden.astype(int), 0]))
            assert len(edges) in (0, 2), "one stretch"
            widths[name].append(int(hidden.sum()))
            seen[name] |= hidden
    # Theirs is a whole number below 5; ours is uniform up to 5, and hides what it reaches.
    assert set(widths["theirs"]) == set(range(5)) and set(widths["ours"]) == set(range(6))
    assert np.mean(widths["theirs"]) == pytest.approx(2, abs=0.3)
    assert np.mean(widths["ours"]) == pytest.approx(2.5, abs=0.3)
    # Ours lies anywhere; theirs begins one place before the last that it fits in, at most.
    assert seen["ours"].all()
    assert seen["theirs"][:-1].all() and not seen["theirs"][-1]
