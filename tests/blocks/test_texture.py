"""Statistics of the input over time, against plain array arithmetic."""

import keras
import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import GlobalAveragePool
from kerasnas.blocks.texture import CHANGES, LEVEL, TextureScores
from kerasnas.errors import KerasnasError


def test_statistics_are_means_over_time_of_levels_and_of_differences() -> None:
    block = TextureScores((GlobalAveragePool(),), 3, "softmax")
    model = Architecture((20, 6, 2), (block,)).build()
    layers = {layer.name.rpartition(".")[2]: layer for layer in model.layers}
    read = keras.Model(model.input, [layers[LEVEL].input, layers[CHANGES].input])
    x = np.random.default_rng(0).normal(size=(4, 20, 6, 2)).astype(np.float32)

    level, changes = read(x)

    mean = x.mean(axis=1)
    expected = [
        abs(x - mean[:, None]).mean(axis=1) / 2,
        *(np.where(d > 0, d, 0).mean(axis=1) for n in (1, 2, 4, 8) for d in [x[:, n:] - x[:, :-n]]),
        abs(np.diff(x, axis=2)).mean(axis=1),
        abs(np.diff(mean, axis=1)),
    ]
    np.testing.assert_allclose(level, mean.reshape(4, -1), atol=1e-6)
    flat = np.concatenate([values.reshape(4, -1) for values in expected], axis=1)
    np.testing.assert_allclose(changes, flat, atol=1e-6)


def test_too_few_frames_are_refused() -> None:
    architecture = Architecture((8, 6, 1), (TextureScores((GlobalAveragePool(),), 3, "softmax"),))
    with pytest.raises(KerasnasError, match="9 frames"):
        _ = architecture.ops
