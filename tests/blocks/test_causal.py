"""Causal networks: what they see, and what they refuse."""

import keras
import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import (
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Normalize,
    Pool,
    StatisticsPool,
    Stem,
)
from kerasnas.blocks.recorder import Recorder
from kerasnas.blocks.recurrent import FlattenBins, FrameMean, Gru, Lstm
from kerasnas.blocks.texture import TextureScores
from kerasnas.blocks.trunk import Convolution
from kerasnas.blocks.unidirectional import UnidirectionalBottleneck
from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras

FRAMES = 23
INPUT = (FRAMES, 8, 2)
NETWORKS: dict[str, tuple[int, tuple[Block, ...]]] = {
    "stem": (1, (Normalize(), Stem(3, (5, 3)))),
    "stride": (2, (Stem(3, strides=(2, 2)), InvertedResidual(3))),
    "unequal strides": (4, (DepthwiseSeparable(4, (5, 5), (2, 1)), Stem(3, (3, 1), (2, 4)))),
    "short kernel": (3, (Stem(3, (1, 3), (3, 1)),)),
    "pool": (2, (Stem(3), Pool("max"), DepthwiseSeparable(4))),
    "bottleneck": (
        2,
        (
            UnidirectionalBottleneck(4, "time", 7, 3, (2, 2)),
            UnidirectionalBottleneck(4, "frequency", 5, 3),
        ),
    ),
    "recurrent": (2, (Stem(3, strides=(2, 2)), FlattenBins(), Gru(4, bidirectional=False))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_frame_sees_later_ones(name: str) -> None:
    stride, blocks = NETWORKS[name]
    keras.utils.set_random_seed(3)
    architecture = Architecture(INPUT, blocks, causal=True)
    model = architecture.build()
    x = np.random.default_rng(1).normal(size=(1, *INPUT)).astype(np.float32)
    whole = np.asarray(model(x))
    assert whole.shape[1] == FRAMES // stride
    for frame in range(FRAMES):
        changed = x.copy()
        changed[:, frame] += 1
        reached = np.asarray(model(changed)) != whole
        places = np.flatnonzero(reached.reshape(whole.shape[1], -1).any(axis=1))
        assert not len(places) or places[0] >= frame // stride
        if frame % stride == stride - 1:  # at once, where its stride ends
            assert places[0] == frame // stride


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_reads_a_causal_network_as_the_recorder_does(name: str) -> None:
    architecture = Architecture(INPUT, NETWORKS[name][1], causal=True)
    assert sorted(from_keras(architecture.build())) == sorted(architecture.ops)
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_padding_costs_no_multiply_accumulates() -> None:
    blocks = (Stem(3, (5, 3)), DepthwiseSeparable(4), GlobalAveragePool(), Dense(3, "softmax"))
    causal, usual = (Architecture(INPUT, blocks, causal).cost() for causal in (True, False))
    assert (causal.macs, causal.parameters) == (usual.macs, usual.parameters)
    assert causal.int8_bytes > usual.int8_bytes  # the operators that pad


REFUSED: list[tuple[tuple[Block, ...], str]] = [
    ((FlattenBins(), Gru(3)), "'01_gru.gru' is bidirectional"),
    ((FlattenBins(), Lstm(3, bidirectional=True)), "'01_lstm.lstm' is bidirectional"),
    ((StatisticsPool((Pool("max"), Stem(2))),), "pool.centred' subtracts a mean"),
    (
        (TextureScores((Stem(2), GlobalAveragePool()), 2, "softmax"),),
        "texture.above_mean_difference' subtracts",
    ),
    ((Pool("max", (3, 3), (2, 2)),), "'00_pool.pool' pools 3 frames, 2 apart"),
    ((Pool("average", (2, 2), padding="same"),), "with the padding 'same'"),
    ((Convolution(3, padding="valid"),), "'00_convolution.conv' has the padding 'valid'"),
]


@pytest.mark.parametrize(("blocks", "message"), REFUSED)
def test_what_looks_ahead_is_refused_by_name(blocks: tuple[Block, ...], message: str) -> None:
    with pytest.raises(KerasnasError, match=message):
        Architecture(INPUT, blocks, causal=True).ops  # noqa: B018
    assert Architecture(INPUT, blocks).ops


def test_squeeze_and_excitation_over_time_is_refused() -> None:
    net = Recorder(causal=True)
    x = net.input(INPUT)
    squeezed = net.dense(net.global_average_pool(x), 2)
    with pytest.raises(KerasnasError, match="'excited' joins frames with what was read from the"):
        net.multiply(x, net.reshape(squeezed, (1, 1, 2)), "excited")


def test_frames_beside_others_are_refused() -> None:
    net = Recorder(causal=True)
    with pytest.raises(KerasnasError, match="'later' takes some of the frames"):
        net.frames(net.input(INPUT), 1, 23, "later")


def test_frames_can_be_scored_and_averaged_at_the_end() -> None:
    assert Architecture(INPUT, (FlattenBins(), FrameMean(3)), causal=True).ops
