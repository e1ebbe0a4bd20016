"""Blocks with kernels along one axis.

Source: Li et al., "Neural architecture search on acoustic scene classification", Interspeech 2020,
section 2.1 and figure 3: MobileNetV2's bottleneck, its 3x3 kernel replaced by one along time or
one along frequency. The paper names no activation; MobileNetV2's is the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import InvertedResidual
from kerasnas.blocks.recorder import Pair, Recorder, Tensor


@dataclass(frozen=True)
class UnidirectionalBottleneck(Block):
    """Inverted residual whose depthwise kernel runs along frames or along bins.

    Attributes:
        filters: Channels of the output.
        axis: What the kernel runs along.
        kernel_size: Its length, in frames or bins.
        expansion: Inner channels by channels of the input.
        strides: Of frames and bins; those across the kernel may differ from those along it.
        activation: After expansion and depthwise convolution.
    """

    kind: ClassVar[str] = "unidirectional_bottleneck"
    filters: int
    axis: Literal["time", "frequency"]
    kernel_size: int = 3
    expansion: int = 6
    strides: Pair = (1, 1)
    activation: str = "relu6"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        size = (self.kernel_size, 1) if self.axis == "time" else (1, self.kernel_size)
        block = InvertedResidual(self.filters, size, self.strides, self.expansion, self.activation)
        return block(net, x)
