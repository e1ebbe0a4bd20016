"""The networks that Wu & Lee, DCASE 2020, compare theirs with (section 4.4 and table 4).

MobileNet: Howard et al., 2017, table 1; MobileNetV2: Sandler et al., CVPR 2018, table 2; both as
in `keras.applications`, to which they are held by a test. ShuffleNetV2: Ma et al., ECCV 2018, table
5, at 1x. The paper changes nothing about them but channels in and classes out.

Deviations: inputs are standardised inside the network, by the space that offers them. The modified
AlexNet is a **stand-in**: its layers are unpublished, but for its 33.8 MB of parameters, which this
one has at the paper's input of 128 frames and bins. It is Krizhevsky et al.'s, NIPS 2012, in one
piece, with batch normalisation and smaller dense layers. Convolutions are padded as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import (
    Dense,
    DepthwiseSeparable,
    Dropout,
    Flatten,
    GlobalAveragePool,
    InvertedResidual,
    Pool,
    Stem,
)
from kerasnas.blocks.shuffle import ShuffleUnit

Blocks = tuple[Block, ...]


def alexnet_stand_in(classes: int, output: str) -> Blocks:
    """Five convolutions, two dense layers of 1024 and 896 units."""
    pool = Pool("max")
    return (
        Stem(96, (11, 11), (4, 4), "relu"),
        pool,
        Stem(256, (5, 5), activation="relu"),
        pool,
        Stem(384, activation="relu"),
        Stem(384, activation="relu"),
        Stem(256, activation="relu"),
        pool,
        Flatten(),
        Dense(1024, "relu"),
        Dropout(0.5),
        Dense(896, "relu"),
        Dropout(0.5),
        Dense(classes, output),
    )


def mobilenet_v1(classes: int, output: str) -> Blocks:
    """Return a convolution and 13 depthwise separable ones."""
    layers = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    layers += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    return (
        Stem(32, strides=(2, 2), activation="relu6"),
        *(
            DepthwiseSeparable(filters, strides=(stride, stride), activation="relu6")
            for filters, stride in layers
        ),
        GlobalAveragePool(),
        Dropout(0.001),
        Dense(classes, output),
    )


def mobilenet_v2(classes: int, output: str) -> Blocks:
    """Return a convolution, 17 inverted residuals, and a pointwise convolution."""
    # Expansion, filters, blocks, stride of the first of them.
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    return (
        Stem(32, strides=(2, 2), activation="relu6"),
        *(
            InvertedResidual(filters, (3, 3), (stride, stride), expansion, "relu6")
            for expansion, filters, count, first in stages
            for stride in [first] + [1] * (count - 1)
        ),
        Stem(1280, (1, 1), activation="relu6"),
        GlobalAveragePool(),
        Dense(classes, output),
    )


def shufflenet_v2(classes: int, output: str) -> Blocks:
    """Return a convolution and a pooling, 16 shuffle units, and a pointwise convolution."""
    return (
        Stem(24, strides=(2, 2), activation="relu"),
        Pool("max", (3, 3), (2, 2)),
        *(
            ShuffleUnit(filters, strides)
            for filters, count in ((116, 4), (232, 8), (464, 4))
            for strides in [(2, 2)] + [(1, 1)] * (count - 1)
        ),
        Stem(1024, (1, 1), activation="relu"),
        GlobalAveragePool(),
        Dense(classes, output),
    )


NETWORKS: Mapping[str, Callable[[int, str], Blocks]] = MappingProxyType(
    {
        "alexnet_stand_in": alexnet_stand_in,
        "mobilenet_v1": mobilenet_v1,
        "mobilenet_v2": mobilenet_v2,
        "shufflenet_v2": shufflenet_v2,
    }
)
"""Their blocks, by name, for a number of classes and the activation of the last layer."""
