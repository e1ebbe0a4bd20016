"""Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture design", ECCV
2018, section 3.2 and figure 3 (c, d): units of two branches whose channels are dealt out anew.
"""  # noqa: D205

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Pair, Recorder, Tensor


@dataclass(frozen=True)
class ShuffleUnit(Block):
    """Half of the channels pass, half are convolved, and both are shuffled.

    Where places are skipped, both branches convolve all channels, and as many come out as
    `filters` says; otherwise `filters` are the channels of the input.
    """

    kind: ClassVar[str] = "shuffle_unit"
    filters: int
    strides: Pair = (1, 1)

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        half = self.filters // 2
        if self.strides == (1, 1):
            passed = net.channels(x, 0, half, "passed")
            x = net.channels(x, half, x.shape[-1], "convolved")
        else:
            passed = net.depthwise_conv2d(x, (3, 3), self.strides, "passed_depthwise")
            passed = net.batch_norm(passed, "passed_depthwise_bn")
            passed = _pointwise(net, passed, half, "passed")
        y = _pointwise(net, x, half, "first")
        y = net.depthwise_conv2d(y, (3, 3), self.strides)
        y = net.batch_norm(y, "depthwise_bn")
        y = _pointwise(net, y, half, "second")
        return net.shuffle_channels(net.concatenate(passed, y), 2)


def _pointwise(net: Recorder, x: Tensor, filters: int, name: str) -> Tensor:
    x = net.conv2d(x, filters, (1, 1), name=f"{name}_pointwise")
    return net.activation(net.batch_norm(x, f"{name}_bn"), "relu", f"{name}_relu")
