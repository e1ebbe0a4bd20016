"""Blocks of networks that are read from files: batch normalisation is a part of convolutions.

Converters fold it into kernel and bias, so every convolution here has a bias and none has a
normalisation behind it. See `kerasnas.models.pretrained`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Padding, Pair, Recorder, Tensor


@dataclass(frozen=True)
class Convolution(Block):
    """Convolution with a bias, activation."""

    kind: ClassVar[str] = "convolution"
    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    activation: str = "relu6"
    padding: Padding = "same"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        x = net.conv2d(x, self.filters, self.kernel_size, self.strides, True, padding=self.padding)
        return _activated(net, x, self.activation)


@dataclass(frozen=True)
class Depthwise(Block):
    """Depthwise convolution with a bias, activation; `multiplier` filters for every channel."""

    kind: ClassVar[str] = "depthwise"
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    activation: str = "relu6"
    padding: Padding = "same"
    multiplier: int = 1

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        x = net.depthwise_conv2d(
            x,
            self.kernel_size,
            self.strides,
            bias=True,
            padding=self.padding,
            multiplier=self.multiplier,
        )
        return _activated(net, x, self.activation)


@dataclass(frozen=True)
class Separable(Block):
    """A `Depthwise` block and a pointwise `Convolution`, as MobileNet stacks them."""

    kind: ClassVar[str] = "separable"
    depthwise: Depthwise
    pointwise: Convolution

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        for name, part in (("depthwise", self.depthwise), ("pointwise", self.pointwise)):
            with net.scope(name):
                x = part(net, x)
        return x


@dataclass(frozen=True)
class Activation(Block):
    """An activation alone."""

    kind: ClassVar[str] = "activation"
    function: str

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.activation(x, self.function)


@dataclass(frozen=True)
class ScaleShift(Block):
    """A factor and a summand for every channel: a batch normalisation that was not folded."""

    kind: ClassVar[str] = "scale_shift"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.batch_norm(x)


@dataclass(frozen=True)
class Branches(Block):
    """Several ways from one input, added or with their channels one after the other.

    An empty branch hands the input over: a residual connection.
    """

    kind: ClassVar[str] = "branches"
    branches: tuple[tuple[Block, ...], ...]
    join: Literal["add", "concatenate"] = "add"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        ends = []
        for number, blocks in enumerate(self.branches):
            y = x
            for index, block in enumerate(blocks):
                with net.scope(f"{number}.{index}_{block.kind}"):
                    y = block(net, y)
            ends.append(y)
        if self.join == "concatenate":
            return net.concatenate(*ends)
        total = ends[0]
        for number, end in enumerate(ends[1:], 1):
            total = net.add(total, end, "add" if number == 1 else f"add{number}")
        return total


def _activated(net: Recorder, x: Tensor, function: str) -> Tensor:
    return x if function == "linear" else net.activation(x, function)
