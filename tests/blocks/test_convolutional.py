"""What blocks of convolutional networks compute, against formulas."""

import numpy as np

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Pool, StatisticsPool


def test_statistics_are_half_the_mean_absolute_deviation_over_time() -> None:
    body = (Pool("max"), Pool("average"))
    model = Architecture((9, 8, 2), (StatisticsPool(body),)).build()
    x = np.random.default_rng(7).normal(size=(3, 9, 8, 2)).astype(np.float32)
    halved = x[:, :8].reshape(3, 4, 2, 4, 2, 2).max(axis=(2, 4))
    last = halved.reshape(3, 2, 2, 2, 2, 2).mean(axis=(2, 4))
    deviations = [np.abs(y - y.mean(axis=1, keepdims=True)).mean(axis=(1, 2)) for y in (x, halved)]
    expected = np.concatenate([last.mean(axis=(1, 2)), *(each / 2 for each in deviations)], axis=1)
    untrained = np.sqrt(1 + 1e-3)  # batch normalisation
    np.testing.assert_allclose(model(x), expected / untrained, rtol=1e-4, atol=1e-6)
