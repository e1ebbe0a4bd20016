"""The space of NASC-net: what the paper says of it, and what it makes of wrong values."""

import pytest
from pydantic import ValidationError

from kerasnas.blocks.unidirectional import UnidirectionalBottleneck
from kerasnas.errors import KerasnasError
from kerasnas.models.nasc import NascSettings, NascSpace, Stage

SMALL = NascSettings(
    stem_filters=4,
    stages=(Stage(filters=4, layers=1, strides=(2, 1)), Stage(filters=6, layers=2)),
    frequency_filters=8,
    recurrent_layers=1,
    recurrent_units=3,
    dense_units=5,
)


@pytest.fixture(scope="module")
def paper() -> NascSpace:
    return NascSpace((501, 40, 1), 9)


def test_the_baseline_costs_what_table_1_says(paper: NascSpace) -> None:
    cost = paper.reference("baseline").cost()
    assert cost.trainable_parameters == pytest.approx(3.31e6, rel=0.01)
    assert cost.macs == pytest.approx(2.03e9, rel=0.01)


def test_the_vgg_variant_costs_what_table_1_says(paper: NascSpace) -> None:
    cost = paper.reference("vgg").cost()
    assert cost.trainable_parameters == pytest.approx(17.24e6, rel=0.01)
    assert cost.macs == pytest.approx(5.99e9, rel=0.01)


def test_twenty_layers_have_six_choices_each_and_layer_17_its_own(paper: NascSpace) -> None:
    assert list(paper.choices) == [f"layer{number}" for number in range(1, 21)]
    assert {len(options) for options in paper.choices.values()} == {6}
    usual = ["e3k3", "e3k5", "e3k7", "e6k3", "e6k5", "e6k7"]
    for gene, options in paper.choices.items():
        special = ["e3k5", "e3k7", "e6k5", "e6k7", "e8k5", "e8k7"]
        assert list(options) == (special if gene == "layer17" else usual)


def test_kernels_run_along_time_and_frequency_in_turn(paper: NascSpace) -> None:
    axes = [next(iter(options.values())).axis for options in paper.choices.values()]
    assert axes == ["time", "frequency"] * 10


def test_values_take_one_option_a_layer() -> None:
    space = NascSpace((12, 8, 1), 3, settings=SMALL)
    values = {"layer1": "e6k5", "layer2": "e3k3", "layer3": "e3k7"}
    assert space.path(values) == (4, 0, 2)
    blocks = [
        block
        for block in space.architecture(values).blocks
        if isinstance(block, UnidirectionalBottleneck)
    ]
    assert [(b.expansion, b.kernel_size, b.filters, b.strides) for b in blocks] == [
        (6, 5, 4, (2, 1)),
        (3, 3, 6, (1, 1)),
        (3, 7, 6, (1, 1)),
    ]
    ops = {op.name.partition("_")[2]: op for op in space.architecture(values).ops}
    assert ops["gru.gru"].output_shape == (6,)  # the last states of both directions


def test_one_convolution_takes_all_bins_that_are_left() -> None:
    for bins in (7, 8, 9):
        space = NascSpace((12, bins, 1), 3, settings=SMALL)
        convolution = next(op for op in space.reference("baseline").ops if "05_" in op.name)
        assert convolution.output_shape == (6, 1, 8)
        height, width, *_ = convolution.weights[0].shape
        assert (height, width) == (1, -(-bins // 2))


def test_the_baseline_is_a_point_of_the_space(paper: NascSpace) -> None:
    values = paper.references["baseline"]
    assert paper.architecture(values) == paper.reference("baseline")
    assert paper.chromosome([4] * 16 + [3] + [4] * 3) == values  # e6k3; layer 17 has e6k5 third


def test_chromosomes_count_from_1_and_fit_the_space(paper: NascSpace) -> None:
    values = paper.chromosome([1, 6, *[2] * 18])
    assert list(values.values())[:3] == ["e3k3", "e6k7", "e3k5"]
    assert values["layer17"] == "e3k7"
    with pytest.raises(KerasnasError, match="chromosome of 19 genes.*20 layers"):
        paper.chromosome([1] * 19)
    for wrong in (0, 7):
        with pytest.raises(KerasnasError, match=f"gene 3 of a chromosome is {wrong}: .*1 to 6 "):
            paper.chromosome([1, 1, wrong, *[1] * 17])


def test_wrong_values_are_named() -> None:
    space = NascSpace((12, 8, 1), 3, settings=SMALL)
    with pytest.raises(KerasnasError, match="layer3 is missing: it can be e3k3, e3k5"):
        space.architecture({"layer1": "e6k5", "layer2": "e3k3"})
    with pytest.raises(KerasnasError, match="layer2 is 7: it can be e3k3"):
        space.architecture({"layer1": "e6k5", "layer2": 7, "layer3": "e3k3"})
    with pytest.raises(KerasnasError, match="'nasc_net'.*baseline"):
        space.reference("nasc_net")
    with pytest.raises(KerasnasError, match="one label a clip"):
        NascSpace((12, 8, 1), 3, "sigmoid", SMALL)


def test_causal_networks_read_no_frame_backwards() -> None:
    with pytest.raises(ValidationError, match="bidirectional GRU layers read the last frame first"):
        NascSettings(causal=True)
    settings = SMALL.model_copy(update={"causal": True, "bidirectional": False})
    for each in (settings, NascSettings(causal=True, recurrent_layers=0)):
        space = NascSpace((64, 40, 1), 3, settings=each)
        for name in space.reference_names:
            network = space.reference(name)
            assert network.causal
            assert network.ops
    gru = next(
        op
        for op in NascSpace((12, 8, 1), 3, settings=settings).reference("baseline").ops
        if op.kind == "gru"
    )
    assert gru.output_shape == (3,)
