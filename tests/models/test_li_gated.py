"""The space of gated networks: parameters by arithmetic, costs by Keras."""

import keras_tuner
import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras
from kerasnas.models.li import LiSpace
from kerasnas.models.li_gated import LiGatedSettings, LiGatedSpace

SMALL = {
    "blocks": 1,
    "block1_filters": 4,
    "kernel": 3,
    "pooled_filters": 6,
    "units": 5,
    "attention": False,
}


def small(shape: tuple[int, ...] = (10, 12), **settings) -> LiGatedSpace:
    return LiGatedSpace(shape, 7, "sigmoid", LiGatedSettings(**settings))


@pytest.mark.parametrize("shape", [(10, 128), (10, 128, 1)])
def test_the_reports_network_is_a_point_of_the_space(shape: tuple[int, ...]) -> None:
    ours = LiGatedSpace(shape, 527, "sigmoid").reference("gcnn")
    assert ours == LiSpace(shape, 527, "sigmoid").reference("gcnn")
    assert len(set(LiGatedSpace.references["gcnn"]) - set(SMALL)) == 1  # block2_filters


def test_parameters_by_hand() -> None:
    convolution = (3 * 3 * 1 + 1) * 4
    pooled = (3 * 3 * 4 + 1) * 6 + (3 * 3 * 6 + 1) * 6
    gru = 2 * 3 * 5 * (6 + 5 + 2)
    by_hand = 2 * (convolution + 4 * 4) + pooled + 2 * gru + (10 + 1) * 7
    assert small().architecture(SMALL).cost().parameters == by_hand
    located = small().architecture(SMALL | {"attention": True}).cost().parameters
    assert located == by_hand + (10 + 1) * 7


@pytest.mark.parametrize("attention", [True, False])
def test_points_of_the_space_cost_what_keras_says(attention: bool) -> None:
    architecture = small((9, 12, 2)).architecture(SMALL | {"attention": attention})
    model = architecture.build()
    assert model.count_params() == architecture.cost().parameters
    assert sorted(from_keras(model)) == sorted(architecture.ops)
    scores = np.asarray(model(np.zeros((2, 9, 12, 2), np.float32)))
    assert scores.shape == (2, 7) and ((scores > 0) & (scores < 1)).all()


def test_genes_of_blocks_exist_where_the_blocks_do() -> None:
    hp = keras_tuner.HyperParameters()
    small(blocks=(1, 2)).define(hp)
    names = ["blocks", "block1_filters", "block2_filters", "kernel", "pooled_filters", "units"]
    assert [gene.name for gene in hp.space] == [*names, "attention"]
    assert "block2_filters" not in hp.values
    with pytest.raises(ValidationError, match="rising numbers"):
        LiGatedSettings(blocks=(2, 1))
    with pytest.raises(KerasnasError, match="binary_crossentropy"):
        LiGatedSpace((10, 12), 7).architecture(SMALL)
