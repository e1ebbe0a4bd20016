"""Blocks of gated convolutional networks.

Sources: Xu et al., "Large-scale weakly supervised audio classification using gated convolutional
neural network", ICASSP 2018, section 2; Li, "Audio tagging: LSTM and gated CNN", 2018, section 5
and figure 2. A gated unit is linear outputs times the sigmoid of as many others.

Deviations: what the sources compute as one convolution of twice the filters, and then split, is two
convolutions here, which is the same product with as many weights. The gated recurrent layers are
plain GRUs, with the sigmoid of the gate behind the second one; in the published code it is inside,
in place of the cell's tanh, and the first one's cell is linear, whose state has no bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Pair, Recorder, Tensor


@dataclass(frozen=True)
class GatedConvolution(Block):
    """Two convolutions with batch normalisation, one linear and one the gate: `filters` of each."""

    kind: ClassVar[str] = "gated_convolution"
    filters: int
    kernel_size: Pair = (2, 2)

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        linear = net.conv2d(x, self.filters, self.kernel_size, bias=True, name="linear")
        linear = net.batch_norm(linear, "linear_bn")
        gate = net.conv2d(x, self.filters, self.kernel_size, bias=True, name="gate")
        gate = net.activation(net.batch_norm(gate, "gate_bn"), "sigmoid", "gate_sigmoid")
        return net.multiply(linear, gate)


@dataclass(frozen=True)
class ConvolutionMaxPool(Block):
    """Convolution, ReLU, maximum over windows of `pool_size` (frames, bins)."""

    kind: ClassVar[str] = "convolution_max_pool"
    filters: int
    kernel_size: Pair = (2, 2)
    pool_size: Pair = (2, 1)

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        x = net.activation(net.conv2d(x, self.filters, self.kernel_size, bias=True), "relu")
        return net.max_pool2d(x, self.pool_size)


@dataclass(frozen=True)
class GatedRecurrent(Block):
    """Two bidirectional GRUs over the frames, one the other's gate."""

    kind: ClassVar[str] = "gated_recurrent"
    units: int

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        linear = net.gru(x, self.units, bidirectional=True, name="linear")
        gate = net.gru(x, self.units, bidirectional=True, name="gate")
        return net.multiply(linear, net.activation(gate, "sigmoid", "gate_sigmoid"))
