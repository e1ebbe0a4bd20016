"""Statistics of the input over time, against plain array arithmetic."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dct

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import GlobalAveragePool
from kerasnas.blocks.texture import COSINES, READINGS, TextureScores, cosines
from kerasnas.errors import KerasnasError


def test_statistics_are_means_over_time_of_levels_and_of_differences() -> None:
    block = TextureScores((GlobalAveragePool(),), 3, "softmax")
    model = Architecture((20, 6, 2), (block,)).build()
    layers = {layer.name.rpartition(".")[2]: layer for layer in model.layers}
    layers[COSINES].set_weights([cosines(6, 2)])
    read = keras.Model(model.input, [layers[name].input for name in READINGS])
    x = np.random.default_rng(0).normal(size=(4, 20, 6, 2)).astype(np.float32)

    level, peak, changes, shapes = read(x)

    mean = x.mean(axis=1)
    expected = [
        *_changes(x),
        abs(np.diff(x, axis=2)).mean(axis=1),
        abs(np.diff(mean, axis=1)),
    ]
    lifter = 1 + 5 * np.sin(np.pi * np.arange(1, 6) / 10)
    cepstra = dct(x, axis=2, norm="ortho")[:, :, 1:] * lifter[:, None]
    np.testing.assert_allclose(level, mean.reshape(4, -1), atol=1e-6)
    np.testing.assert_allclose(peak, x.max(axis=1).reshape(4, -1), atol=1e-6)
    np.testing.assert_allclose(changes, _flat(expected), atol=1e-6)
    np.testing.assert_allclose(shapes, _flat(_changes(cepstra)), atol=1e-5)


def _changes(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Half the mean deviation from the mean, and mean rises, `(clips, bins, channels)` each."""
    rises = [np.maximum(0, x[:, n:] - x[:, :-n]).mean(axis=1) for n in (1, 2, 4, 8)]
    return [abs(x - x.mean(axis=1, keepdims=True)).mean(axis=1) / 2, *rises]


def _flat(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def test_too_few_frames_are_refused() -> None:
    architecture = Architecture((8, 6, 1), (TextureScores((GlobalAveragePool(),), 3, "softmax"),))
    with pytest.raises(KerasnasError, match="9 frames"):
        _ = architecture.ops
