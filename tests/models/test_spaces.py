"""What every search space says of itself."""

import keras_tuner
import pytest

from kerasnas.models.choices import ChoiceSpace
from kerasnas.models.li import LiSettings
from kerasnas.models.li_gated import LiGatedSettings
from kerasnas.models.liu_zhang import LiuZhangSettings
from kerasnas.models.nasc import NascSettings
from kerasnas.models.papers import PAPERS
from kerasnas.models.spaces import space_of
from kerasnas.models.wu_lee import WuLeeSettings

SPACES = {  # settings, output, headline gene
    WuLeeSettings: ("softmax", "growth"),
    LiuZhangSettings: ("sigmoid", None),
    LiSettings: ("softmax", "cell"),
    LiGatedSettings: ("sigmoid", None),
    NascSettings: ("softmax", None),
}


def test_every_space_of_a_paper_is_listed_here() -> None:
    assert SPACES.keys() == set(PAPERS)


@pytest.mark.parametrize("settings", SPACES)
def test_what_a_space_says_of_itself_holds(settings: type) -> None:
    output, gene = SPACES[settings]
    space = space_of(settings(), (128, 128, 1), 3, output)
    assert space.headline_gene == gene
    hyperparameters = keras_tuner.HyperParameters()
    space.define(hyperparameters)
    assert isinstance(space, ChoiceSpace) == settings.of_choices
    assert gene is None or gene in {each.name for each in hyperparameters.space}
