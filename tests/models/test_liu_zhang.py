"""Liu & Zhang's search space and named networks, against the figures in their paper."""

import keras_tuner
import pytest
from pydantic import ValidationError

from kerasnas.errors import KerasnasError
from kerasnas.models.liu_zhang import LiuZhangSettings, LiuZhangSpace

BINS = (64, 96, 128, 160, 240)


def space(bins: int = 128, **settings) -> LiuZhangSpace:
    return LiuZhangSpace((126, bins, 1), 7, "sigmoid", LiuZhangSettings(**settings))


def genes(of: LiuZhangSpace) -> dict[str, list[int]]:
    hp = keras_tuner.HyperParameters()
    of.define(hp)
    return {gene.name: gene.values for gene in hp.space}


def test_21_genes_in_the_papers_order() -> None:
    table = genes(space())
    expected: dict[str, list[int]] = {}
    for layer in range(1, 8):
        expected[f"layer{layer}_filters"] = [8, 16, 32, 64]
        expected[f"layer{layer}_height"] = [1, 3, 5]
        expected[f"layer{layer}_width"] = [1, 3, 5]
    assert list(table.items()) == list(expected.items())


@pytest.mark.parametrize(("bins", "layers"), zip(BINS, (6, 6, 7, 7, 7), strict=True))
def test_the_seventh_layer_needs_128_bins(bins: int, layers: int) -> None:
    assert len(genes(space(bins))) == 3 * layers
    ops = space(bins).reference("crnn").ops
    assert sum(op.kind == "max_pool2d" for op in ops) == layers
    assert next(op for op in ops if op.kind == "reshape").output_shape == (126, 64)


@pytest.mark.parametrize(
    ("reference", "thousands"), [("crnn", 136), ("nas_alpha_1_5", 122), ("nas_best", 209)]
)
def test_parameters_of_the_convolutions(reference: str, thousands: int) -> None:
    # Counted from the paper's lists of (N, H, W), batch normalisation included.
    ops = space().reference(reference).ops
    tower = sum(op.parameters for op in ops if op.kind in ("conv2d", "batch_norm"))
    assert round(tower / 1000) == thousands


def test_filters_of_the_named_networks() -> None:
    def filters(name: str) -> list[int]:
        ops = space().reference(name).ops
        return [op.output_shape[-1] for op in ops if op.kind == "conv2d"]

    assert filters("crnn") == filters("table_1_row_1") == [8, 16, 32, 64, 64, 64, 64]
    assert filters("table_1_row_2") == [8, 32, 64, 16, 8, 64, 64]
    assert filters("table_1_row_3") == [16, 8, 32, 64, 32, 64, 64]
    assert filters("table_1_row_4") == [32, 64, 32, 8, 32, 64, 64]
    kernels = [op.weights[0].shape[:2] for op in space().reference("nas_best").ops if op.macs]
    assert kernels[:7] == [(5, 5), (5, 5), (3, 3), (3, 3), (3, 3), (5, 5), (3, 3)]


@pytest.mark.parametrize("bins", BINS)
def test_every_reference_fits_every_number_of_bins(bins: int) -> None:
    for name in space(bins).reference_names:
        assert space(bins).reference(name).ops[-1].output_shape == (7,)


def test_networks_to_compare_with_have_one_convolution_along_the_bins() -> None:
    for name, heads in (("cgrnn", 0), ("att_loc", 1)):
        ops = space().reference(name).ops
        (convolution,) = (op for op in ops if op.kind == "conv2d")
        assert convolution.weights[0].shape == (1, 30, 1, 128)
        assert sum(op.kind == "gru" for op in ops) == 3
        assert sum(op.kind == "divide" for op in ops) == heads


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "mean"},
        {"attention_on_features": False},
        {"recurrent_layers": 2, "recurrent_units": 16, "bidirectional": False},
        {"recurrent_layers": 0},
    ],
)
def test_variants_build(settings: dict) -> None:
    small = space(16, **settings)
    architecture = small.architecture(small.references["crnn"])
    model = architecture.build()
    assert model.output_shape == (None, 7)
    assert model.count_params() == sum(op.parameters for op in architecture.ops)


def test_a_layer_without_values_is_named() -> None:
    values = {k: v for k, v in space().references["crnn"].items() if "layer7" not in k}
    assert space(64).architecture(values) == space(64).reference("crnn")
    with pytest.raises(KerasnasError, match=r"layer7_filters.*128 bins.*7 layers"):
        space().architecture(values)


def test_what_cannot_be_built_is_explained() -> None:
    with pytest.raises(KerasnasError, match=r"'crn'.*crnn.*att_loc"):
        space().reference("crn")
    with pytest.raises(KerasnasError, match="binary_crossentropy"):
        LiuZhangSpace((126, 128, 1), 7)
    with pytest.raises(KerasnasError, match="1 bins"):
        space(1)
    with pytest.raises(ValidationError, match="filters"):
        LiuZhangSettings(filters=(0, 8))
