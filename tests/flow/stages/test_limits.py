"""What search.limits refuses, in words."""

from types import SimpleNamespace

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.flow.stages.limits import Sizes
from kerasnas.models.nasc import NascSettings, NascSpace, Stage

STAGES = (Stage(filters=4, layers=2, expansions=(1, 2), kernel_sizes=(3,)),)
SMALL = NascSettings(stem_filters=3, stages=STAGES, frequency_filters=4, recurrent_layers=0)
SPACE = NascSpace((12, 8, 1), 3, settings=SMALL)
CHEAP, DEAR = (SPACE.chromosome([number] * 2) for number in (1, 2))
LOW, HIGH = (SPACE.architecture(values).cost().macs for values in (CHEAP, DEAR))


def sizes(**limits: int) -> Sizes:
    search = SimpleNamespace(limits=limits, window=SimpleNamespace(rule="int8_file"))
    task = SimpleNamespace(
        experiment=SimpleNamespace(search=search), architecture=SPACE.architecture
    )
    return Sizes(task)


def test_networks_above_a_limit_are_infinitely_large() -> None:
    size = sizes(macs=LOW)
    assert size(CHEAP) == SPACE.architecture(CHEAP).size("int8_file")
    assert size(DEAR) == float("inf")
    size.check(CHEAP, "cheap")
    with pytest.raises(KerasnasError, match=rf"dear .*macs {HIGH:,} \(at most {LOW:,}\): "):
        size.check(DEAR, "dear")
    assert size.explained("nothing new") == (
        f"nothing new (search.limits refused 1 of them: macs at most {LOW:,}, and 1 had "
        f"{HIGH:,} to {HIGH:,})"
    )


def test_limits_that_refuse_everything_say_what_there_is() -> None:
    size = sizes(macs=5, parameters=10**9)
    for values in (CHEAP, DEAR, DEAR):
        assert size(values) == float("inf")
    assert size.explained("no candidate fits") == (
        "search.limits refuses every candidate that was tried, 3 in all: macs at most 5, and 3 had "
        f"{LOW:,} to {HIGH:,}. Raise the limits, or change the space"
    )


@pytest.mark.parametrize("limits", [{}, {"macs": 10**9}])
def test_a_reason_stays_as_it_is_where_no_limit_is_broken(limits: dict[str, int]) -> None:
    size = sizes(**limits)
    size(DEAR)
    assert size.explained("the space is exhausted") == "the space is exhausted"
