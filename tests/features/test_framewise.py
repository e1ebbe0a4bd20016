"""Features frame by frame, against those of whole clips."""

from typing import Any

import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.features import Embedding, FramewiseFeatures, TfioLogMel, clip_features, front_end

RATE = 8000
SHARED: dict[str, Any] = {"sample_rate": RATE, "n_fft": 256, "hop_length": 100, "seconds": 1.03}
MEL = {**SHARED, "mel_bins": 20}
KINDS: dict[str, dict[str, Any]] = {
    "log_mel": {**MEL, "top_db": None},
    "not centred": {**MEL, "top_db": None, "center": False},
    "short window": {
        **MEL,
        "top_db": None,
        "center": False,
        "window_length": 200,
        "window_place": "start",
    },
    "natural logarithm": {**MEL, "log": "log", "log_offset": 1e-6},
    "two channels": {**MEL, "top_db": None, "channels": "average_difference"},
    "segments": {**MEL, "top_db": None, "segment_frames": 20, "segment_rest": "silence"},
    "mfcc": {**MEL, "kind": "mfcc", "top_db": None, "coefficients": 12},
    "pcen": {**MEL, "kind": "pcen"},
    "scalogram": {
        **SHARED,
        "kind": "scalogram",
        "octaves": 6,
        "filters_per_octave": 4,
        "top_db": None,
    },
}


def _sound(channels: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    loud = np.repeat([1e-4, 0.5, 0.01, 0.0], round(1.03 * RATE) // 4)[:, None]
    return (loud * rng.normal(size=(len(loud), channels))).astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_the_whole_clip(name: str) -> None:
    settings = front_end(KINDS[name])
    sound = _sound(settings.file_channels)
    stream, frames, place = FramewiseFeatures(settings), [], 0
    for size in (3, 700, 1, 0, 99, 2000, 250, len(sound)):
        frames.append(stream.push(sound[place : place + size]))
        place += size
    frames.append(stream.finish())
    found = np.concatenate(frames)
    whole = settings.model_copy(update={"segment_frames": None, "segment_rest": "drop"})
    np.testing.assert_allclose(found, clip_features(sound, whole)[0], rtol=0, atol=1e-4)


def test_a_frame_comes_with_the_last_sample_that_it_reads() -> None:
    stream = FramewiseFeatures(front_end({**MEL, "top_db": None}))
    sound = _sound(1)
    assert len(stream.push(sound[:127])) == 0  # frame 0 is centred on sample 0
    assert stream.push(sound[127:128]).shape == (1, 20, 1)
    assert len(stream.push(sound[128:227])) == 0
    assert len(stream.push(sound[227:228])) == 1


LOOKING_AHEAD = {
    "features.top_db: 80 counts from the largest value of the whole clip": MEL,
    "features.ref: max is the largest value": {**MEL, "ref": "max", "top_db": None},
    "features.trim: 30 counts from": {**MEL, "top_db": None, "trim": 30},
    "features.channel_examples: 2": {**MEL, "top_db": None, "channel_examples": 2},
}


@pytest.mark.parametrize("message", LOOKING_AHEAD)
def test_what_looks_ahead_is_refused_by_name(message: str) -> None:
    with pytest.raises(KerasnasError, match=message):
        FramewiseFeatures(front_end(LOOKING_AHEAD[message]))


def test_features_of_whole_clips_are_refused_by_their_kind() -> None:
    for settings in (TfioLogMel(), Embedding.model_construct(kind="embedding")):
        with pytest.raises(KerasnasError, match=f"kind {settings.kind} are made of whole clips"):
            FramewiseFeatures(settings)
