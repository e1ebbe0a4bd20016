"""Blocks of small convolutional networks.

Sources: Wu & Lee, "Searching for efficient network architectures for acoustic scene
classification", DCASE 2020, section 2 and figure 1 (depthwise separable convolution, inverted
residual with swish); Sandler et al., "MobileNetV2", CVPR 2018 (inverted residual, linear
bottleneck); Snyder et al., "X-vectors", ICASSP 2018 (statistics pooling). Convolutions in front of
a batch normalisation have no bias.

TensorFlow's depthwise convolution takes equal strides only. Unequal ones stand on the pointwise
convolution that follows, which picks the same places of an output computed everywhere; the
depthwise convolution then costs more multiply-accumulates than a strided one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Padding, Pair, Recorder, Tensor
from kerasnas.export.network.ops import Shape


@dataclass(frozen=True)
class Normalize(Block):
    """Standardise every bin and channel by statistics of the training clips.

    It stands inside the network so that a file takes the features as the front end makes them.
    """

    kind: ClassVar[str] = "normalize"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.normalization(x)


@dataclass(frozen=True)
class Stem(Block):
    """Convolution, batch normalisation, activation."""

    kind: ClassVar[str] = "stem"
    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    activation: str = "silu"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        x = net.conv2d(x, self.filters, self.kernel_size, self.strides)
        return net.activation(net.batch_norm(x), self.activation)


@dataclass(frozen=True)
class DepthwiseSeparable(Block):
    """Depthwise convolution and pointwise convolution, each with normalisation and activation."""

    kind: ClassVar[str] = "depthwise_separable"
    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    activation: str = "silu"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        depthwise, pointwise = _divided(self.strides)
        x = net.depthwise_conv2d(x, self.kernel_size, depthwise)
        x = net.batch_norm(x, "depthwise_bn")
        x = net.activation(x, self.activation, "depthwise_activation")
        x = net.conv2d(x, self.filters, (1, 1), pointwise, name="pointwise")
        x = net.batch_norm(x, "pointwise_bn")
        return net.activation(x, self.activation, "pointwise_activation")


@dataclass(frozen=True)
class InvertedResidual(Block):
    """Expansion, depthwise convolution, linear projection; input added where shapes agree.

    An expansion of 1 is none, as in MobileNetV2's first block.
    """

    kind: ClassVar[str] = "inverted_residual"
    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    expansion: int = 3
    activation: str = "silu"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        y = x
        if self.expansion > 1:
            y = net.conv2d(x, x.shape[-1] * self.expansion, (1, 1), name="expand")
            y = net.batch_norm(y, "expand_bn")
            y = net.activation(y, self.activation, "expand_activation")
        depthwise, pointwise = _divided(self.strides)
        y = net.depthwise_conv2d(y, self.kernel_size, depthwise)
        y = net.batch_norm(y, "depthwise_bn")
        y = net.activation(y, self.activation, "depthwise_activation")
        y = net.conv2d(y, self.filters, (1, 1), pointwise, name="project")
        y = net.batch_norm(y, "project_bn")
        return net.add(x, y) if x.shape == y.shape else y


@dataclass(frozen=True)
class Identity(Block):
    """Output is input."""

    kind: ClassVar[str] = "identity"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return x


@dataclass(frozen=True)
class Pool(Block):
    """Average or maximum over windows: side by side, or `strides` apart.

    `padding` is as in `Recorder.max_pool2d`: without strides a rest is left out, with them windows
    reach beyond the edges, unless it says otherwise.
    """

    kind: ClassVar[str] = "pool"
    mode: Literal["average", "max"]
    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding | None = None

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        pool = net.max_pool2d if self.mode == "max" else net.average_pool2d
        return pool(x, self.pool_size, strides=self.strides, padding=self.padding)


@dataclass(frozen=True)
class GlobalAveragePool(Block):
    """Mean over frames and bins."""

    kind: ClassVar[str] = "global_average_pool"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.global_average_pool(x)


@dataclass(frozen=True)
class StatisticsPool(Block):
    """Mean of what `body` makes, and how far what its poolings take in varies over time.

    Modulations tell textures such as rain and fire apart, and poolings smooth them away: so every
    resolution gives its own. Snyder et al. pool the last layer alone. In place of the standard
    deviation stands the mean of max(0, x - mean), half the mean absolute deviation, which needs no
    root and so stays in int8; it is taken over the frames of every bin, then averaged over bins.
    A batch normalisation follows, since their sizes differ.
    """

    kind: ClassVar[str] = "statistics_pool"
    body: tuple[Block, ...]

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        statistics = []
        for index, block in enumerate(self.body):
            with net.scope(f"{index}_{block.kind}"):
                if isinstance(block, Pool):
                    statistics.append(_deviation(net, x))
                x = block(net, x)
        return net.batch_norm(net.concatenate(net.global_average_pool(x), *statistics))


def _deviation(net: Recorder, x: Tensor) -> Tensor:
    """Half the mean absolute deviation of every channel from its mean over the frames."""
    mean = net.average_pool2d(x, (x.shape[0], 1), "frame_mean")
    above = net.activation(net.subtract(x, mean, "centred"), "relu", "above_mean")
    return net.global_average_pool(above, "deviation")


@dataclass(frozen=True)
class Flatten(Block):
    """All values one after the other, frame by frame."""

    kind: ClassVar[str] = "flatten"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.flatten(x)


@dataclass(frozen=True)
class Reshape(Block):
    """The same values in another shape."""

    kind: ClassVar[str] = "reshape"
    shape: Shape

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.reshape(x, self.shape)


@dataclass(frozen=True)
class Dropout(Block):
    """Drop a share of the inputs while training."""

    kind: ClassVar[str] = "dropout"
    rate: float

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.dropout(x, self.rate)


@dataclass(frozen=True)
class Dense(Block):
    """Dense layer with an activation: as the last block, the scores of the classes."""

    kind: ClassVar[str] = "dense"
    units: int
    activation: str

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.activation(net.dense(x, self.units), self.activation)


def _divided(strides: Pair) -> tuple[Pair, Pair]:
    """Strides of a depthwise convolution and of the pointwise one after it."""
    return (strides, (1, 1)) if strides[0] == strides[1] else ((1, 1), strides)
