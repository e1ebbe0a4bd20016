"""Li's networks and the space of LSTM taggers: parameters by arithmetic, costs by Keras."""

import keras
import keras_tuner
import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras
from kerasnas.models.li import LiSettings, LiSpace

SMALL = {
    "cell": "gru",
    "layers": 2,
    "layer1_units": 6,
    "layer2_units": 4,
    "summary": "last",
    "dense_layers": 1,
    "dense1_units": 5,
    "dropout": 0.2,
}


def report() -> LiSpace:
    return LiSpace((10, 128), 527, "sigmoid")


def small(shape: tuple[int, ...] = (10, 12), **settings) -> LiSpace:
    return LiSpace(shape, 7, "sigmoid", LiSettings(**settings))


def parameters(name: str) -> int:
    return report().reference(name).cost().parameters


def lstm_parameters(inputs: int, units: int) -> int:
    return 4 * units * (inputs + units + 1)


def dense_parameters(inputs: int, units: int) -> int:
    return (inputs + 1) * units


def convolution_parameters(inputs: int, filters: int) -> int:
    return (2 * 2 * inputs + 1) * filters


def test_parameters_of_the_lstm() -> None:
    # Section 4: 512, 256 and 128 units, ten frames of the last flattened, 2048, 1024 and 527.
    by_hand = (
        lstm_parameters(128, 512)
        + lstm_parameters(512, 256)
        + lstm_parameters(256, 128)
        + dense_parameters(10 * 128, 2048)
        + dense_parameters(2048, 1024)
        + dense_parameters(1024, 527)
    )
    assert by_hand == 7_559_183
    assert parameters("lstm") == by_hand


def test_parameters_of_the_dense_baselines() -> None:
    # Section 7.2: 527 outputs; 1024 and 527.
    assert parameters("fc1") == dense_parameters(1280, 527) == 675_087
    assert parameters("fc2") == dense_parameters(1280, 1024) + dense_parameters(1024, 527)


def test_parameters_and_shapes_of_the_gated_network() -> None:
    # Section 5: 128 filters, of which 64 are gates; 256 filters twice; two bidirectional layers.
    normalization = 4 * 128
    gru = 2 * 3 * 128 * (256 + 128 + 2)
    by_hand = (
        convolution_parameters(1, 128)
        + convolution_parameters(64, 128)
        + 2 * normalization
        + convolution_parameters(64, 256)
        + convolution_parameters(256, 256)
        + 2 * gru
        + 2 * dense_parameters(256, 527)
    )
    assert parameters("gcnn") == by_hand
    ops = report().reference("gcnn").ops
    pools = [op.output_shape for op in ops if op.kind == "max_pool2d"]
    assert pools == [(5, 128, 256), (1, 128, 256)]
    assert [op.output_shape for op in ops if op.kind == "gru"] == [(128, 256)] * 2


@pytest.mark.parametrize("name", ["lstm", "gcnn", "fc1", "fc2"])
def test_references_cost_what_keras_says(name: str, tmp_path) -> None:
    architecture = small().reference(name)
    assert Architecture.from_json(architecture.to_json()) == architecture
    model = architecture.build()
    assert model.count_params() == architecture.cost().parameters
    if name == "gcnn":  # Keras orders branches by their length
        assert sorted(from_keras(model)) == sorted(architecture.ops)
    else:
        assert from_keras(model) == architecture.ops
    assert model.output_shape == (None, 7)
    if name == "gcnn":  # the one with an operation that is no layer
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        x = np.random.default_rng(0).normal(size=(2, 10, 12)).astype(np.float32)
        np.testing.assert_array_equal(again(x), model(x))
        assert np.all((np.asarray(model(x)) > 0) & (np.asarray(model(x)) < 1))


@pytest.mark.parametrize("shape", [(10, 12), (10, 6, 2)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("summary", ["flatten", "last"])
def test_points_of_the_space_cost_what_keras_says(
    shape: tuple[int, ...], cell: str, summary: str
) -> None:
    architecture = small(shape, normalize=True).architecture(
        SMALL | {"cell": cell, "summary": summary}
    )
    model = architecture.build()
    assert from_keras(model) == architecture.ops
    cost = architecture.cost()
    assert model.count_params() == cost.parameters
    trainable = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert cost.trainable_parameters == trainable


def test_embeddings_are_standardised_only_where_asked_for() -> None:
    def starts(shape: tuple[int, ...], **settings) -> bool:
        return small(shape, **settings).reference("fc1").ops[1].kind == "normalization"

    assert starts((10, 12, 1)) and starts((10, 12), normalize=True)
    assert not starts((10, 12)) and not starts((10, 12, 1), normalize=False)


def test_multiply_accumulates_by_hand() -> None:
    # Two GRUs over ten frames, then two dense layers on the last frame.
    by_hand = 10 * 3 * 6 * (12 + 6) + 10 * 3 * 4 * (6 + 4) + 4 * 5 + 5 * 7
    assert small().architecture(SMALL).cost().macs == by_hand


def test_last_is_the_last_frame_of_flatten() -> None:
    values = SMALL | {"dense_layers": 0, "cell": "lstm"}
    last, every = (
        small().architecture(values | {"summary": summary}).build()
        for summary in ("last", "flatten")
    )
    kernel = np.zeros((40, 7), np.float32)
    kernel[-4:] = last.get_weights()[-2]
    every.set_weights([*last.get_weights()[:-2], kernel, last.get_weights()[-1]])
    x = np.random.default_rng(1).normal(size=(3, 10, 12)).astype(np.float32)
    np.testing.assert_allclose(last(x), every(x), rtol=1e-5, atol=1e-6)


def test_genes_of_layers_exist_where_the_layers_do() -> None:
    hp = keras_tuner.HyperParameters()
    small(layers=(1, 2), dense_layers=(0, 1)).define(hp)
    names = ["cell", "layers", "layer1_units", "layer2_units", "dense_layers", "dense1_units"]
    assert [gene.name for gene in hp.space] == [*names, "summary", "dropout"]
    defaults = set(hp.values)
    assert "layer2_units" not in defaults and "dense1_units" not in defaults
    model = small(layers=(1, 2), dense_layers=(0, 1)).build(hp)
    assert model.output_shape == (None, 7)


def test_a_searched_tagger_fits_where_the_reports_does_not() -> None:
    # 500 000 bytes in int8: a byte for each weight at the least.
    assert report().reference("lstm").size("int8_file") > 7_559_183
    values = SMALL | {"cell": "lstm", "layer1_units": 128, "layer2_units": 64, "dense1_units": 256}
    fitting = report().architecture(values)
    assert fitting.cost().parameters < fitting.size("int8_file") < 500_000


def test_what_cannot_be_built_is_explained() -> None:
    with pytest.raises(KerasnasError, match=r"'fc3'.*lstm, gcnn, fc1, fc2"):
        report().reference("fc3")
    with pytest.raises(KerasnasError, match="binary_crossentropy"):
        LiSpace((10, 128), 527).reference("gcnn")
    with pytest.raises(KerasnasError, match="more frames"):
        _ = small((1, 12)).reference("gcnn").ops
    with pytest.raises(ValidationError, match="rising numbers from 1"):
        LiSettings(layers=(2, 1))
    with pytest.raises(ValidationError, match="shares below 1"):
        LiSettings(dropout=(1.0,))


def test_the_reports_softmax_is_an_option() -> None:
    ops = LiSpace((10, 128), 527, "softmax").reference("lstm").ops
    assert ops[-1].attributes["function"] == "softmax"
