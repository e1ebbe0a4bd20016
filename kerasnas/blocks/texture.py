"""Scores that are read from statistics of the input over time, beside a network's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Recorder, Tensor
from kerasnas.errors import KerasnasError

LAGS = (1, 2, 4, 8)
COEFFICIENTS = 20
OWN, LEVEL, PEAK, CHANGES = "own_scores", "level_scores", "peak_scores", "change_scores"
SHAPES = "shape_scores"
READINGS = (LEVEL, PEAK, CHANGES, SHAPES)
"""Names of the dense layers whose sum with `OWN` the scores are."""

COSINES = "cosines"
"""Name of the dense layer that computes cepstral coefficients."""


@dataclass(frozen=True)
class TextureScores(Block):
    """The scores of a network and of the texture of its input, averaged before the activation.

    Rain, fire and engines are textures, which listeners know by statistics over time of each band
    (McDermott & Simoncelli 2011, "Sound texture perception via statistics of the auditory
    periphery"). A linear reading of such statistics errs on other clips than a network does.

    Statistics of every band over the frames: the mean and the highest value; then means of how far
    the value lies above its mean, and above its value 1, 2, 4 and 8 frames before, max(0, d); how
    far it lies from the band below, |d|; and |d| between the bands' means. Of the first cepstral
    coefficients, the sum aside (of log-mel bands: MFCC, Davis & Mermelstein 1980): how far they lie
    above their means and their values before, as of bands. Deviation: these take the place of the
    paper's moments, modulation powers and correlations, since they stay in int8.

    The dense layers that read them are not trained with the network: they start at zero, as
    `cosines` does, and `kerasnas.training.texture.fit_texture` fits them to the network that is
    done. Each group of statistics has a layer of its own: one layer would give large and small ones
    the same step in int8.

    Attributes:
        body: What the network computes from the input, without its last layer.
        units: Number of scores.
        activation: Of the averaged scores.
    """

    kind: ClassVar[str] = "texture_scores"
    body: tuple[Block, ...]
    units: int
    activation: str

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        with net.scope("texture"):
            statistics = dict(_statistics(net, x))
        for index, block in enumerate(self.body):
            with net.scope(f"{index}_{block.kind}"):
                x = block(net, x)
        total = net.dense(x, self.units, name=OWN)
        with net.scope("texture"):
            for name, vector in statistics.items():
                scores = net.dense(vector, self.units, name == LEVEL, trainable=False, name=name)
                total = net.add(total, scores, f"with_{name}")
        return net.activation(total, self.activation)


def cosines(bins: int, channels: int) -> NDArray[np.float32]:
    """Return the kernel of `COSINES`: rows of a DCT-II for each of `channels` that lie in turn.

    Coefficients are weighed by 1 + K sin(pi k / 2K), K their number, as HTK lifters them: all then
    vary about as much, and int8 keeps them apart.

    Returns:
        float32 `(bins * channels, coefficients * channels)`.
    """
    count = _coefficients(bins)
    k = np.arange(1, count + 1)
    rows = np.cos(np.pi * k * (np.arange(bins)[:, None] + 0.5) / bins) * np.sqrt(2 / bins)
    lifted = rows * (1 + count * np.sin(np.pi * k / (2 * count)))
    return np.kron(lifted, np.eye(channels)).astype(np.float32)


def _coefficients(bins: int) -> int:
    return min(COEFFICIENTS, bins - 1)


def _statistics(net: Recorder, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Vectors of statistics by the names of the layers that read them."""
    frames, bins, channels = x.shape
    if frames <= LAGS[-1]:
        raise KerasnasError(
            f"the input has {frames} frames, and statistics over time compare frames that are "
            f"{LAGS[-1]} apart: use at least {LAGS[-1] + 1} frames, or leave texture out"
        )
    width = bins * channels
    bands = net.flatten_bins(x, "bands")
    level = net.mean_over_frames(bands, "level")
    yield LEVEL, level
    highest = net.max_pool2d(net.reshape(bands, (frames, 1, width), "tall"), (frames, 1))
    yield PEAK, net.reshape(highest, (width,), "peak")
    changes = [*_changes(net, bands, level, "")]
    slopes = _distance(net, bands, channels, "slope")
    changes.append(net.mean_over_frames(slopes, "mean_slope"))
    changes.append(_distance(net, level, channels, "level_slope"))
    yield CHANGES, net.concatenate(*changes, name="changes")
    count = channels * _coefficients(bins)
    cepstra = net.dense(bands, count, bias=False, trainable=False, name=COSINES)
    mean = net.mean_over_frames(cepstra, "cepstral_level")
    yield SHAPES, net.concatenate(*_changes(net, cepstra, mean, "cepstral_"), name="shapes")


def _changes(net: Recorder, x: Tensor, level: Tensor, prefix: str) -> Iterator[Tensor]:
    """How far values lie above their means, and above their values before: means over frames."""
    frames, width = x.shape
    mean = net.reshape(level, (1, width), f"{prefix}mean_frame")
    yield net.mean_over_frames(_above(net, x, mean, f"{prefix}above_mean"), f"{prefix}deviation")
    for lag in LAGS:
        later = net.frames(x, lag, frames, f"{prefix}from_{lag}")
        earlier = net.frames(x, 0, frames - lag, f"{prefix}until_{lag}")
        rise = _above(net, later, earlier, f"{prefix}above_{lag}_before")
        yield net.mean_over_frames(rise, f"{prefix}rise_{lag}")


def _above(net: Recorder, x: Tensor, y: Tensor, name: str) -> Tensor:
    """max(0, x - y)."""
    return net.activation(net.subtract(x, y, f"{name}_difference"), "relu", name)


def _distance(net: Recorder, x: Tensor, channels: int, name: str) -> Tensor:
    """|d| between neighbouring bands, whose `channels` lie side by side."""
    width = x.shape[-1]
    upper = net.channels(x, channels, width, f"{name}_upper")
    lower = net.channels(x, 0, width - channels, f"{name}_lower")
    up = _above(net, upper, lower, f"{name}_up")
    return net.add(up, _above(net, lower, upper, f"{name}_down"), name)
