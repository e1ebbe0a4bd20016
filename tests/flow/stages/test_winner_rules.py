"""Rules by which members of the front are chosen."""

import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.experiment.search import WinnerRule
from kerasnas.flow.stages.winner_rules import choose_winners, describe_rule, knee
from kerasnas.tuners import Gene, Search

SCORED = {  # accuracy, millions of multiply-accumulates
    "a": (0.50, 1),
    "b": (0.70, 2),
    "c": (0.78, 4),
    "d": (0.80, 9),
    "e": (0.80, 12),  # as good as d, and dominated by it
}


def searched() -> Search:
    search = Search(
        [Gene("network", values=tuple(SCORED))],
        [("accuracy", "max"), ("macs", "min")],
        max_trials=None,
    )
    for name, (accuracy, macs) in reversed(SCORED.items()):
        search.enqueue({"network": name})
        trial = search.ask()
        metrics = {"accuracy": accuracy, "macs": macs * 1_000_000}
        search.tell(trial.id, metrics, {"macs": macs * 1_000_000, "int8_bytes": 100 * macs})
    return search


def chosen(**rules: dict) -> dict[str, str]:
    experiment = Experiment.model_validate(
        {"name": "x", "search": {"objectives": ["accuracy", "macs"], "winners": rules}}
    )
    return {
        name: trial.values["network"]
        for name, trial in choose_winners(searched(), experiment).items()
    }


def test_the_best_the_knee_and_the_best_under_a_limit() -> None:
    found = chosen(
        best={},
        knee={"rule": "knee"},
        light={"limits": {"macs": 4_000_000}},
        tiny={"limits": {"macs": 4_000_000, "int8_bytes": 250}},
    )
    # Scaled to 0..1 on the front the sums are a 1, b 1/3 + 1/8, c 1/15 + 3/8, d 1.
    assert found == {"best": "d", "knee": "c", "light": "c", "tiny": "b"}


def test_a_limit_that_nobody_keeps_is_named() -> None:
    with pytest.raises(
        KerasnasError, match=r"winners.small: macs at most 5, .*least was 1,000,000"
    ):
        chosen(small={"limits": {"macs": 5}})
    with pytest.raises(
        KerasnasError, match=r"winners.small: macs at most 5, .*least was 1,000,000"
    ):
        chosen(small={"rule": "knee", "limits": {"macs": 5}})


def test_a_front_of_one_point_is_its_own_knee() -> None:
    assert knee(np.array([[3.0, 7.0]])) == 0


def test_rules_are_told_in_words() -> None:
    experiment = Experiment.model_validate(
        {
            "name": "x",
            "search": {
                "objectives": ["loss", "macs"],
                "winners": {"light": {"limits": {"macs": 1_500_000}}, "knee": {"rule": "knee"}},
            },
        }
    )
    light, middle = (describe_rule(rule, experiment) for rule in experiment.winners.values())
    assert light == "lowest validation loss with at most 1,500,000 macs"
    assert middle == "knee of the front of loss and macs"


def test_the_best_of_one_kind_of_networks() -> None:
    assert chosen(best={}, b={"where": {"network": "b"}}) == {"best": "d", "b": "b"}
    with pytest.raises(KerasnasError, match=r"winners.z: no candidate with network: z was scored"):
        chosen(z={"where": {"network": "z"}})
    experiment = Experiment.model_validate({"name": "x"})
    rule = WinnerRule(by="loss", where={"start": "scratch"})
    assert describe_rule(rule, experiment) == "lowest validation loss with start scratch"
