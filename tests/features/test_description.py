import json

import numpy as np
from threadpoolctl import threadpool_limits

from kerasnas.features import LogMel, Scalogram, describe, golden
from kerasnas.features.description import decode
from kerasnas.features.morlet import bank
from kerasnas.features.spectral.log_mel import log_mel


def test_description_resolves_every_default():
    settings = LogMel(seconds=2.0, segment_frames=50)
    description = describe(settings)
    assert description["window_length"] == 1024
    assert description["fmax"] == 8000
    assert description["samples"] == 32000
    assert description["clip_frames"] == 126
    assert description["segments"] == 2
    assert description["segment_hop"] == 50
    assert description["input_shape"] == [50, 64, 1]
    assert json.loads(json.dumps(description)) == description


def test_golden_features_follow_from_the_golden_waveform():
    settings = LogMel()
    data = json.loads(json.dumps(golden(settings)))
    waveform, features = decode(data["waveform"]), decode(data["features"])
    assert waveform.dtype == np.int16
    assert waveform.shape == (16000, 1)
    assert features.shape == (1, 63, 64, 1)
    with threadpool_limits(1, user_api="blas"):  # more threads round otherwise
        again = log_mel(waveform.astype(np.float32) / 32768, settings)
    assert np.array_equal(features[0], again)
    assert np.abs(waveform).max() > 16000
    assert np.ptp(again, axis=0).min() > 20  # dB: the tone passes every band


def test_golden_channels_differ():
    waveform = decode(golden(LogMel(channels="stereo"))["waveform"])
    assert waveform.shape == (16000, 2)
    assert (waveform[:, 0] != waveform[:, 1]).any()


def test_a_scalogram_is_described_by_its_filters_too():
    front_end = describe(Scalogram(n_fft=256, octaves=6, filters_per_octave=4))
    assert len(front_end["centres"]) == len(front_end["widths"]) == front_end["input_shape"][1]
    response = np.exp(
        -((np.arange(129) / 256 - front_end["centres"][-1]) ** 2) / 2 / front_end["widths"][-1] ** 2
    )
    filters = bank(256, 6, 4)
    assert np.abs(filters[-1] / filters[-1].max() - response / response.max()).max() < 0.02
