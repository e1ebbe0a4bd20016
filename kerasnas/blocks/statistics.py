"""Scores read from statistics over time: the head of networks that begin with a pretrained trunk.

Snyder et al., "X-vectors", ICASSP 2018, pool mean and deviation of a layer; a highest mean over a
second and changes from frame to frame are further statistics that tell sounds apart. Deviations:
the standard deviation is the mean of max(0, x - mean), half the mean absolute deviation, and the
change that of max(0, x - the frame before), neither of which needs a root or leaves int8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Recorder, Tensor
from kerasnas.errors import KerasnasError

STATISTICS = ("mean", "band", "second", "maximum", "deviation", "change")
"""Of each channel: its mean; the mean of its highest bin; then, of its mean over the bins, the
highest mean over `window` frames, the highest value, the deviation and the change."""


@dataclass(frozen=True)
class StatisticsScores(Block):
    """Scores that a dense layer, or two, read from statistics of every channel.

    Each statistic has a dense layer of its own, whose outputs are added: one layer of all of them
    would give the large and the small ones the same step in int8.

    Attributes:
        units: Number of scores.
        activation: Of the scores.
        statistics: Names from `STATISTICS`.
        window: Frames of about one second.
        parts: In how many parts of equal length the clip is, each with statistics of its own; a
            rest of frames is left out.
        hidden: Units of a hidden layer with ReLU; 0 for none.
    """

    kind: ClassVar[str] = "statistics_scores"
    units: int
    activation: str
    statistics: tuple[str, ...] = ("mean", "second")
    window: int = 8
    parts: int = 1
    hidden: int = 0

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        unknown = set(self.statistics) - set(STATISTICS)
        if unknown or not self.statistics:
            raise KerasnasError(
                f"statistics are {self.statistics}: some of {', '.join(STATISTICS)} were expected"
            )
        total: Tensor | None = None
        for name, vector in self._vectors(net, x):
            scores = net.dense(
                vector, self.hidden or self.units, total is None, name=f"{name}_scores"
            )
            total = scores if total is None else net.add(total, scores, f"{name}_sum")
        assert total is not None
        if self.hidden:
            total = net.dense(net.activation(total, "relu"), self.units, name="scores")
        return net.activation(total, self.activation)

    def names(self) -> tuple[str, ...]:
        """Return names of the dense layers that read statistics, in the order of `vectors`."""
        return tuple(
            f"{_prefix(part, self.parts)}{name}_scores"
            for part in range(self.parts)
            for name in self.statistics
        )

    def _vectors(self, net: Recorder, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        frames = x.shape[0] // self.parts
        for part in range(self.parts):
            prefix = _prefix(part, self.parts)
            y = x
            if self.parts > 1:
                y = net.frames(x, part * frames, (part + 1) * frames, f"{prefix}frames")
            means = y
            if y.shape[1] > 1 and set(self.statistics) - {"mean", "band"}:
                means = net.average_pool2d(y, (1, y.shape[1]), f"{prefix}over_bins")
            for name in self.statistics:
                yield f"{prefix}{name}", self._vector(net, y, means, name, f"{prefix}{name}")

    def _vector(self, net: Recorder, x: Tensor, means: Tensor, name: str, full: str) -> Tensor:
        """One statistic of every channel."""
        frames, channels = x.shape[0], x.shape[-1]
        if name == "mean":
            return net.global_average_pool(x, full)
        if name == "band":
            return net.global_average_pool(
                net.max_pool2d(x, (1, x.shape[1]), name=f"{full}_bin"), full
            )
        if name == "maximum":
            highest = net.max_pool2d(means, (frames, 1), name=f"{full}_frame")
            return net.reshape(highest, (channels,), full)
        if name == "second":
            window, hop = _window(self.window, frames)
            seconds = net.average_pool2d(means, (window, 1), f"{full}_means", (hop, 1), "valid")
            highest = net.max_pool2d(seconds, (seconds.shape[0], 1), name=f"{full}_frame")
            return net.reshape(highest, (channels,), full)
        if name == "deviation":
            mean = net.average_pool2d(means, (frames, 1), f"{full}_mean")
            difference = net.subtract(means, mean, f"{full}_difference")
        else:
            later = net.frames(means, 1, frames, f"{full}_later")
            earlier = net.frames(means, 0, frames - 1, f"{full}_earlier")
            difference = net.subtract(later, earlier, f"{full}_difference")
        return net.global_average_pool(net.activation(difference, "relu", f"{full}_above"), full)


def _prefix(part: int, parts: int) -> str:
    return f"part{part}_" if parts > 1 else ""


def _window(window: int, frames: int) -> tuple[int, int]:
    """Frames of a window and between two: half a window, all of a clip shorter than one."""
    window = min(window, frames)
    return window, max(1, window // 2)
