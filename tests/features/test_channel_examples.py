"""Channels of a file as examples of one clip."""

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel, clip_features, of_file

MICROPHONES = {"sample_rate": 8000, "seconds": 1, "n_fft": 256, "mel_bins": 16, "ref": "max"}
FOUR = LogMel(**MICROPHONES, segment_frames=10, channel_examples=4)


@pytest.fixture
def wave():
    levels = np.array([1, 0.1, 0.01, 0.5], np.float32)
    return np.random.default_rng(0).uniform(-1, 1, (8000, 4)).astype(np.float32) * levels


def test_each_channel_is_as_if_it_were_alone(wave):
    features = clip_features(wave, FOUR)
    assert FOUR.input_shape == (10, 16, 1)
    assert features.shape == (FOUR.segments, 10, 16, 1) == (12, 10, 16, 1)
    alone = FOUR.model_copy(update={"channel_examples": None})
    for channel in range(4):
        expected = clip_features(wave[:, [channel]], alone)
        np.testing.assert_array_equal(features[3 * channel : 3 * channel + 3], expected)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_missing_in_a_file_are_not_made_up(tmp_path, wave, channels):
    path = tmp_path / "DevNode1_ex100_1.wav"
    soundfile.write(path, wave[:, :channels], 8000)
    message = rf"DevNode1_ex100_1.wav: has {channels} channels where 4 are expected"
    with pytest.raises(KerasnasError, match=message):
        of_file(path, FOUR)


def test_examples_are_mono():
    with pytest.raises(ValidationError, match="channel_examples makes every channel an example"):
        LogMel(**MICROPHONES, channel_examples=4, channels="stereo")
