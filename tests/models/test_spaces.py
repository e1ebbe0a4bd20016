"""What every search space says of itself."""

import keras_tuner
import pytest

from kerasnas.models.li import LiSettings
from kerasnas.models.li_gated import LiGatedSettings
from kerasnas.models.liu_zhang import LiuZhangSettings
from kerasnas.models.nasc import NascSettings
from kerasnas.models.spaces import space_of
from kerasnas.models.wu_lee import WuLeeSettings

SPACES = {  # settings, output, headline gene
    WuLeeSettings: ("softmax", "growth"),
    LiuZhangSettings: ("sigmoid", None),
    LiSettings: ("softmax", "cell"),
    LiGatedSettings: ("sigmoid", None),
    NascSettings: ("softmax", None),
}


@pytest.mark.parametrize("settings", SPACES)
def test_a_headline_gene_is_one_of_the_spaces_genes(settings: type) -> None:
    output, gene = SPACES[settings]
    space = space_of(settings(), (128, 128, 1), 3, output)
    assert space.headline_gene == gene
    hyperparameters = keras_tuner.HyperParameters()
    space.define(hyperparameters)
    assert gene is None or gene in {each.name for each in hyperparameters.space}
