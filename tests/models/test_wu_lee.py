"""Wu & Lee's search space and named models, against the figures in their paper."""

from collections import Counter

import keras_tuner
import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.errors import KerasnasError
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

PAPER_INPUT = (128, 128, 2)


def paper_space(**settings) -> WuLeeSpace:
    return WuLeeSpace(PAPER_INPUT, 3, "sigmoid", WuLeeSettings(**settings))


def convolution_and_dense_weights(space: WuLeeSpace, reference: str) -> int:
    ops = space.reference(reference).ops
    kinds = ("conv2d", "depthwise_conv2d", "dense")
    return sum(op.parameters for op in ops if op.kind in kinds)


@pytest.mark.parametrize(("reference", "weights"), [("model_a", 104_762), ("model_b", 73_667)])
def test_weights_of_the_named_models(reference: str, weights: int) -> None:
    # Counted from the paper's table 3 by hand: convolutions, pointwise and dense with its biases.
    assert convolution_and_dense_weights(paper_space(), reference) == weights


@pytest.mark.parametrize(("reference", "megabytes"), [("model_a_5x5", 0.42), ("model_b", 0.29)])
def test_sizes_of_table_4(reference: str, megabytes: float) -> None:
    # The table prints MB of 2^20 bytes with two digits.
    space = paper_space()
    size = space.reference(reference).size("float32_params")
    assert round(size / 2**20, 2) == megabytes


def test_filters_of_model_a_as_printed() -> None:
    space = paper_space()
    ops = space.reference("model_a").ops
    widths = [op.output_shape[-1] for op in ops if op.kind == "conv2d"]
    # Stem 76; expansion 3 x 76 and projection 76; 133; 133; 232 (table 3).
    assert widths == [76, 228, 76, 133, 133, 232]


def test_the_authors_stem_is_an_option() -> None:
    space = paper_space(stem_strides=(2, 2), stem_activation="relu", stem_filters_step=4)
    ops = space.reference("model_b").ops
    stem = next(op for op in ops if op.kind == "conv2d")
    assert stem.output_shape == (64, 64, 64)
    assert next(op for op in ops if op.kind == "activation").attributes["function"] == "relu"
    hp = keras_tuner.HyperParameters()
    space.define(hp)
    assert next(gene for gene in hp.space if gene.name == "stem_filters").step == 4


def test_every_choice_is_equally_probable() -> None:
    hp = keras_tuner.HyperParameters()
    paper_space().define(hp)
    rng = np.random.default_rng(1)
    drawn: dict[str, Counter] = {gene.name: Counter() for gene in hp.space}
    for _ in range(4000):
        for gene in hp.space:
            drawn[gene.name][gene.random_sample(int(rng.integers(1 << 30)))] += 1
    assert sorted(drawn["stem_filters"]) == list(range(4, 129))
    for name, choices in {
        "blocks": 3,
        "growth": 5,
        "block1_module_a": 5,
        "block1_module_b": 4,
        "block1_pooling": 2,
    }.items():
        counts = drawn[name].values()
        assert len(counts) == choices
        # Five standard deviations of a binomial count.
        share = 4000 / choices
        assert max(abs(count - share) for count in counts) < 5 * np.sqrt(share)


def test_later_blocks_are_conditional() -> None:
    hp = keras_tuner.HyperParameters()
    paper_space().define(hp)
    hp.values = dict(hp.values, blocks=2)
    assert not [g for g in hp.space if g.name.startswith("block3") and hp.is_active(g)]
    hp.values = dict(hp.values, blocks=3)
    active = {g.name for g in hp.space if hp.is_active(g)}
    assert {"block3_module_a", "block3_module_b", "block3_pooling"} <= active
    assert "block4_module_a" not in active


def test_unknown_reference_names_the_known_ones() -> None:
    with pytest.raises(KerasnasError, match=r"'model_c'.*model_a.*model_b"):
        paper_space().reference("model_c")


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValidationError, match="stem_filters"):
        WuLeeSettings(stem_filters=(64, 8))
    with pytest.raises(ValidationError, match="blocks"):
        WuLeeSettings(blocks=(4, 2))


def test_causal_networks_refuse_what_looks_ahead_by_name() -> None:
    for setting, value in (("pooling", "statistics"), ("texture", True)):
        with pytest.raises(ValidationError, match=f"causal: {setting}"):
            WuLeeSettings(causal=True, **{setting: value})
    space = paper_space(causal=True)
    assert space.reference_names == ("model_a", "model_a_5x5", "model_b")
    with pytest.raises(KerasnasError, match="mobilenet_v1 is another paper's network and looks"):
        space.reference("mobilenet_v1")


def test_a_causal_network_costs_what_the_papers_costs_but_for_padding() -> None:
    causal, usual = (paper_space(causal=c).reference("model_a") for c in (True, False))
    assert causal.causal
    assert (causal.cost().macs, causal.cost().parameters) == (
        usual.cost().macs,
        usual.cost().parameters,
    )


def test_frames_of_causal_networks_are_whole_strides() -> None:
    settings = WuLeeSettings(blocks=(2,), causal=True)
    assert WuLeeSpace((4, 4, 1), 3, settings=settings).reference("model_a").ops
    with pytest.raises(KerasnasError, match="3 frames are too few.*at least 4 are needed"):
        WuLeeSpace((3, 4, 1), 3, settings=settings.model_copy(update={"stem_strides": (1, 1)}))
