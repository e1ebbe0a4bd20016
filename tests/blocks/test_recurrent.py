"""What the blocks of convolutional recurrent networks compute, against NumPy."""

import keras
import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.recurrent import (
    AttentionLocalization,
    ConvolutionPool,
    FlattenBins,
    FrameMean,
    Gru,
    LocatedTags,
    Lstm,
)

INPUT = (9, 4, 3)
X = np.random.default_rng(4).normal(size=(2, *INPUT)).astype(np.float32)
FRAMES = X.reshape(2, 9, 12)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def built(*blocks: Block) -> keras.Model:
    keras.utils.set_random_seed(2)
    return Architecture(INPUT, (FlattenBins(), *blocks)).build()


def dense(model: keras.Model, name: str, x):
    kernel, bias = model.get_layer(name).get_weights()
    return x @ kernel + bias


def test_frame_mean_is_equation_2() -> None:
    model = built(FrameMean(5))
    expected = sigmoid(dense(model, "01_frame_mean.dense", FRAMES)).mean(axis=1)
    np.testing.assert_allclose(model(X), expected, rtol=1e-5)


@pytest.mark.parametrize("on_features", [False, True])
def test_attention_and_localisation_by_the_papers_formula(on_features: bool) -> None:
    model = built(AttentionLocalization(5, on_features=on_features))
    attention = sigmoid(dense(model, "01_attention_localization.attention", FRAMES))
    x = FRAMES * attention if on_features else FRAMES
    tags = sigmoid(dense(model, "01_attention_localization.tags", x))
    location = np.exp(dense(model, "01_attention_localization.localization", x))
    location /= location.sum(axis=-1, keepdims=True)
    # Xu et al., Interspeech 2017, with the lower limit of their code.
    expected = (tags * attention * location).sum(axis=1) / np.clip(location, 1e-9, 1).sum(axis=1)
    np.testing.assert_allclose(model(X), expected, rtol=1e-5)


def test_located_tags_by_the_papers_formula() -> None:
    model = built(LocatedTags(5))
    tags = sigmoid(dense(model, "01_located_tags.tags", FRAMES))
    location = np.exp(dense(model, "01_located_tags.localization", FRAMES))
    location /= location.sum(axis=-1, keepdims=True)
    # Xu et al., ICASSP 2018, equation 3.
    np.testing.assert_allclose(
        model(X), (tags * location).sum(axis=1) / location.sum(axis=1), rtol=1e-5
    )


def test_a_conv_block_halves_the_bins_and_keeps_the_frames() -> None:
    architecture = Architecture((9, 13, 2), (ConvolutionPool(5, (3, 1)),))
    assert architecture.ops[-1].output_shape == (9, 6, 5)
    # Bias, and batch normalisation's four.
    assert architecture.cost().parameters == 3 * 1 * 2 * 5 + 5 + 4 * 5


def test_recurrent_cost_by_hand() -> None:
    # Three gates of 4 units on 12 inputs, in both directions, with two biases each.
    architecture = Architecture(INPUT, (FlattenBins(), Gru(4)))
    assert sum(op.parameters for op in architecture.ops) == 2 * 3 * 4 * (12 + 4 + 2)
    assert sum(op.macs for op in architecture.ops) == 9 * 2 * 3 * 4 * (12 + 4)
    assert architecture.ops[-1].output_shape == (9, 8)


def test_lstm_cost_by_hand() -> None:
    # Four gates of 4 units on 12 inputs, with one bias each.
    architecture = Architecture(INPUT, (FlattenBins(), Lstm(4, return_sequences=False)))
    assert sum(op.parameters for op in architecture.ops) == 4 * 4 * (12 + 4 + 1)
    assert sum(op.macs for op in architecture.ops) == 9 * 4 * 4 * (12 + 4)
    assert architecture.ops[-1].output_shape == (4,)


def test_a_recurrent_model_needs_nothing_but_keras(tmp_path) -> None:
    model = built(AttentionLocalization(3, (Gru(4),), on_features=True))
    assert {type(part).__module__.partition(".")[0] for part in model.operations} == {"keras"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
