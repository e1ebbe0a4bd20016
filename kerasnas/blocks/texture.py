"""Scores that are read from statistics of the input over time, beside a network's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Recorder, Tensor
from kerasnas.errors import KerasnasError

LAGS = (1, 2, 4, 8)
OWN, LEVEL, CHANGES = "own_scores", "level_scores", "change_scores"
"""Names of the dense layers whose sum the scores are."""


@dataclass(frozen=True)
class TextureScores(Block):
    """The scores of a network and of the texture of its input, averaged before the activation.

    Rain, fire and engines are textures, which listeners know by statistics over time of each band
    (McDermott & Simoncelli 2011, "Sound texture perception via statistics of the auditory
    periphery"). A linear reading of such statistics errs on other clips than a network does.

    Statistics of every band, all of them means over the frames: its value; how far that lies above
    its mean, and above its value 1, 2, 4 and 8 frames before, max(0, d); how far it lies from the
    band below, |d|; and |d| between their means. Deviation: these take the place of the paper's
    moments, modulation powers and correlations, since they stay in int8.

    The dense layers that read them are not trained with the network: they start at zero, and
    `kerasnas.training.texture.fit_texture` fits them to the network that is done.

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
        level, changes = _statistics(net, x)
        for index, block in enumerate(self.body):
            with net.scope(f"{index}_{block.kind}"):
                x = block(net, x)
        own = net.dense(x, self.units, name=OWN)
        with net.scope("texture"):
            texture = net.add(
                net.dense(level, self.units, bias=False, trainable=False, name=LEVEL),
                net.dense(changes, self.units, trainable=False, name=CHANGES),
            )
        return net.activation(net.add(own, texture), self.activation)


def _statistics(net: Recorder, x: Tensor) -> tuple[Tensor, Tensor]:
    """Of every band the mean over the frames, and means of how it changes."""
    frames, bins, channels = x.shape
    if frames <= LAGS[-1]:
        raise KerasnasError(
            f"the input has {frames} frames, and statistics over time compare frames that are "
            f"{LAGS[-1]} apart: use at least {LAGS[-1] + 1} frames, or leave texture out"
        )
    width = bins * channels
    with net.scope("texture"):
        bands = net.flatten_bins(x, "bands")
        level = net.mean_over_frames(bands, "level")
        mean = net.reshape(level, (1, width), "mean_frame")
        changes = [net.mean_over_frames(_above(net, bands, mean, "above_mean"), "deviation")]
        for lag in LAGS:
            later = net.frames(bands, lag, frames, f"from_{lag}")
            earlier = net.frames(bands, 0, frames - lag, f"until_{lag}")
            rise = _above(net, later, earlier, f"above_{lag}_before")
            changes.append(net.mean_over_frames(rise, f"rise_{lag}"))
        slopes = _distance(net, bands, channels, "slope")
        changes.append(net.mean_over_frames(slopes, "mean_slope"))
        changes.append(_distance(net, level, channels, "level_slope"))
        return level, net.concatenate(*changes, name="changes")


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
