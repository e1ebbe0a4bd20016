"""One description, two readings: recorded operations against the built Keras model."""

import json
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnas import blocks
from kerasnas.blocks import (
    convolutional,
    gated,
    recurrent,
    shuffle,
    statistics,
    texture,
    trunk,
    unidirectional,
)
from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block, from_json
from kerasnas.blocks.recorder import Recorder
from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras

INPUT = (21, 16, 6)
EXAMPLES: dict[str, list[Block]] = {
    "normalize": [convolutional.Normalize()],
    "stem": [
        convolutional.Stem(5),
        convolutional.Stem(4, (5, 3), (2, 1), "relu"),
    ],
    "depthwise_separable": [
        convolutional.DepthwiseSeparable(8),
        convolutional.DepthwiseSeparable(5, (5, 5), (2, 2), "relu"),
    ],
    "inverted_residual": [
        convolutional.InvertedResidual(6),
        convolutional.InvertedResidual(7, (3, 5), (1, 2), 4),
        convolutional.InvertedResidual(6, (3, 3), (1, 1), 1),
    ],
    "identity": [convolutional.Identity()],
    "pool": [
        convolutional.Pool("average"),
        convolutional.Pool("max", (3, 2)),
        convolutional.Pool("max", (3, 3), (2, 2)),
        convolutional.Pool("max", (3, 3), (2, 2), "valid"),
        convolutional.Pool("max", (2, 2), padding="same"),
        convolutional.Pool("average", (3, 2), (1, 2)),
    ],
    "global_average_pool": [convolutional.GlobalAveragePool()],
    "statistics_pool": [
        convolutional.StatisticsPool(
            (convolutional.Pool("max"), convolutional.Stem(4), convolutional.Pool("average"))
        ),
    ],
    "texture_scores": [
        texture.TextureScores((convolutional.Stem(3), convolutional.GlobalAveragePool()), 4, "relu")
    ],
    "convolution": [
        trunk.Convolution(5),
        trunk.Convolution(4, (5, 3), (3, 2), "linear", "valid"),
    ],
    "depthwise": [
        trunk.Depthwise(),
        trunk.Depthwise((3, 5), (2, 2), "linear", "valid", 2),
    ],
    "separable": [
        trunk.Separable(trunk.Depthwise(), trunk.Convolution(8, (1, 1))),
    ],
    "activation": [trunk.Activation("tanh")],
    "scale_shift": [trunk.ScaleShift()],
    "branches": [
        trunk.Branches(((), (trunk.Convolution(6),))),
        trunk.Branches(((trunk.Convolution(4),), (trunk.Convolution(5, (1, 1)),)), "concatenate"),
    ],
    "statistics_scores": [
        statistics.StatisticsScores(4, "softmax"),
        statistics.StatisticsScores(4, "sigmoid", statistics.STATISTICS, 5, 3, 7),
    ],
    "dropout": [convolutional.Dropout(0.3)],
    "dense": [convolutional.Dense(9, "relu")],
    "convolution_pool": [
        recurrent.ConvolutionPool(4),
        recurrent.ConvolutionPool(5, (1, 5), (1, 16), 0.0),
    ],
    "flatten_bins": [recurrent.FlattenBins()],
    "flatten": [convolutional.Flatten()],
    "reshape": [convolutional.Reshape((16, 21, 6)), convolutional.Reshape((21 * 16, 6))],
    "gated_convolution": [gated.GatedConvolution(5), gated.GatedConvolution(3, (3, 5))],
    "convolution_max_pool": [
        gated.ConvolutionMaxPool(4),
        gated.ConvolutionMaxPool(5, (1, 3), (21, 1)),
    ],
    "shuffle_unit": [shuffle.ShuffleUnit(6), shuffle.ShuffleUnit(10, (2, 2))],
    "unidirectional_bottleneck": [
        unidirectional.UnidirectionalBottleneck(6, "time"),
        unidirectional.UnidirectionalBottleneck(8, "frequency", 5, 3, (1, 2)),
    ],
}
ON_FRAMES: dict[str, list[Block]] = {
    "gru": [
        recurrent.Gru(4),
        recurrent.Gru(3, bidirectional=False),
        recurrent.Gru(3, return_sequences=False),
    ],
    "lstm": [
        recurrent.Lstm(4),
        recurrent.Lstm(3, bidirectional=True),
        recurrent.Lstm(3, return_sequences=False),
        recurrent.Lstm(3, bidirectional=True, return_sequences=False),
    ],
    "gated_recurrent": [gated.GatedRecurrent(4)],
    "located_tags": [recurrent.LocatedTags(7)],
    "frame_mean": [recurrent.FrameMean(7)],
    "attention_localization": [
        recurrent.AttentionLocalization(7),
        recurrent.AttentionLocalization(7, (recurrent.Gru(4), recurrent.Gru(3)), on_features=True),
    ],
}
NETWORKS: list[tuple[Block, ...]] = [
    *((block,) for blocks in EXAMPLES.values() for block in blocks),
    *((recurrent.FlattenBins(), block) for blocks in ON_FRAMES.values() for block in blocks),
]
ALL = [pytest.param(blocks, id=str(blocks[-1])) for blocks in NETWORKS]


def test_every_block_has_an_example() -> None:
    assert EXAMPLES.keys() | ON_FRAMES.keys() == set(Block.kinds)


@pytest.mark.parametrize("blocks", ALL)
def test_keras_reads_a_block_as_the_recorder_does(blocks: tuple[Block, ...]) -> None:
    architecture = Architecture(INPUT, blocks)

    model = architecture.build()

    assert model.output_shape[1:] == architecture.ops[-1].output_shape
    # Keras may compute branches in another order.
    assert sorted(from_keras(model)) == sorted(architecture.ops)
    cost = architecture.cost()
    assert cost.parameters == model.count_params()
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert cost.trainable_parameters == trainable
    by_name = {op.name: [weight.shape for weight in op.weights] for op in architecture.ops}
    for layer in model.layers:
        assert [tuple(weight.shape) for weight in layer.weights] == by_name[layer.name]


@pytest.mark.parametrize("blocks", ALL)
def test_a_model_is_the_same_whatever_was_built_before(blocks: tuple[Block, ...]) -> None:
    architecture = Architecture(INPUT, blocks)

    assert _configuration(architecture) == _configuration(architecture)


def _configuration(architecture: Architecture) -> str:
    """The configuration that `model.keras` holds, without Keras's addresses in memory."""
    return re.sub(r'"shared_object_id": \d+', "", architecture.build().to_json())


@pytest.mark.parametrize("blocks", ALL)
def test_a_block_survives_json(blocks: tuple[Block, ...]) -> None:
    assert from_json(json.loads(json.dumps(blocks[-1].to_json()))) == blocks[-1]


def test_an_architecture_survives_json() -> None:
    blocks = (convolutional.Stem(3), convolutional.GlobalAveragePool())
    architecture = Architecture(INPUT, blocks)

    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


def test_multiply_accumulates_by_hand() -> None:
    # 20 frames and 10 bins, halved by the stem's strides; counted layer by layer on paper.
    blocks = (
        convolutional.Stem(4, (3, 3), (2, 2)),
        convolutional.DepthwiseSeparable(8, (5, 5)),
        convolutional.GlobalAveragePool(),
        convolutional.Dense(3, "softmax"),
    )
    macs = Architecture((20, 10, 2), blocks).cost().macs
    assert macs == 10 * 5 * (3 * 3 * 2 * 4) + 10 * 5 * (5 * 5 * 4) + 10 * 5 * (4 * 8) + 8 * 3


def test_peak_activations_hold_a_residual_input() -> None:
    # Widest moment of the block: its input of 16x16x6 waits while the depthwise convolution
    # reads 16x16x18 and writes 16x16x18.
    architecture = Architecture((16, 16, 6), (convolutional.InvertedResidual(6),))
    assert architecture.cost().peak_activation_bytes == 16 * 16 * (6 + 18 + 18)
    # Without the residual connection the input is free by then.
    narrower = replace(architecture, blocks=(convolutional.InvertedResidual(5),))
    assert narrower.cost().peak_activation_bytes == 16 * 16 * (18 + 18)


def test_bytes_follow_the_published_rule() -> None:
    architecture = Architecture((8, 8, 1), (convolutional.Stem(4),))
    assert architecture.size("float32_params") == 4 * (3 * 3 * 4 + 4 + 4)


def test_an_input_that_is_pooled_away_is_explained() -> None:
    blocks = (convolutional.Pool("max"),) * 3
    with pytest.raises(KerasnasError, match=r"02_pool.*\(5, 1, 6\).*too small"):
        _ = Architecture((21, 4, 6), blocks).ops


def test_unknown_blocks_and_fields_are_named() -> None:
    with pytest.raises(KerasnasError, match="'transformer'.*depthwise_separable"):
        from_json({"kind": "transformer"})
    with pytest.raises(KerasnasError, match="'stem'.*heads"):
        from_json({"kind": "stem", "filters": 3, "heads": 2})


def test_two_operations_of_one_name_are_refused() -> None:
    net = Recorder()
    x = net.input((4, 4, 1))
    net.batch_norm(x)
    with pytest.raises(ValueError, match="'bn'"):
        net.batch_norm(x)


def test_the_model_needs_nothing_but_keras(tmp_path) -> None:
    model = Architecture(INPUT, (convolutional.Stem(3), convolutional.InvertedResidual(3))).build()
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.random.default_rng(0).normal(size=(2, *INPUT)).astype("float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    "block",
    [
        convolutional.DepthwiseSeparable(5, (3, 5), (1, 2)),
        convolutional.InvertedResidual(5, (3, 3), (2, 1)),
        unidirectional.UnidirectionalBottleneck(5, "frequency", 3, 2, (1, 3)),
    ],
)
def test_unequal_strides_pick_places_of_what_strides_of_one_compute(block) -> None:
    strided = Architecture(INPUT, (block,)).build()
    plain = Architecture(INPUT, (replace(block, strides=(1, 1)),)).build()
    plain.set_weights(strided.get_weights())
    x = np.random.default_rng(0).normal(size=(2, *INPUT)).astype("float32")
    frames, bins = block.strides
    np.testing.assert_allclose(strided(x), plain(x)[:, ::frames, ::bins], rtol=1e-4, atol=1e-6)


def test_whoever_imports_the_package_can_read_every_block() -> None:
    package = Path(blocks.__file__)
    written = {
        path.stem
        for path in package.parent.glob("*.py")
        if re.search(r"^class \w+\(Block\)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"gated", "texture"} < written
    imported = re.findall(r"import (\w+) as", package.read_text(encoding="utf-8"))
    assert written <= set(imported)
