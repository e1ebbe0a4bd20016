"""Oracles whose number of trials would make them random search, and what is said of them."""

from pathlib import Path
from typing import Any

import pytest

from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import fit_oracle, open_run
from kerasnas.runs.layout import RunPaths


def experiment(trials: int, **oracle: Any) -> Experiment:
    return Experiment.model_validate(
        {"name": "a", "search": {"oracle": oracle, "trials": trials, "objectives": ["accuracy"]}}
    )


@pytest.mark.parametrize(
    ("name", "trials"),
    [("nsga2", 8), ("nsga2", 24), ("nsga2", 100), ("controller", 8), ("controller", 24)],
)
def test_defaults_are_fitted_to_few_trials(name: str, trials: int, tmp_path: Path) -> None:
    given = experiment(trials, name=name)
    assert given.search.oracle.is_random(trials)
    fitted, said = fit_oracle(given, tmp_path)
    assert not fitted.search.oracle.is_random(trials)
    assert said is not None
    assert f"{name} as it is by default is random search in {trials} trials" in said


@pytest.mark.parametrize(
    ("oracle", "trials"),
    [
        ({"name": "nsga2", "population": 4, "exploitation": 0.8}, 16),
        ({"name": "nsga2"}, 2000),
        ({"name": "controller"}, 300),
        ({"name": "size_constrained_random"}, 3),
        ({"name": "grid"}, 3),
    ],
)
def test_oracles_that_use_what_they_see_stay(
    oracle: dict[str, Any], trials: int, tmp_path: Path
) -> None:
    given = experiment(trials, **oracle)
    assert fit_oracle(given, tmp_path) == (given, None)


def test_what_the_user_chose_stays_and_is_told(tmp_path: Path) -> None:
    given = experiment(20, name="nsga2", population=30, exploitation=0.5)
    kept, said = fit_oracle(given, tmp_path)
    assert kept == given
    assert said == (
        "oracle: nsga2 is random search in 20 trials: raise search.trials, or change the oracle's "
        "settings"
    )


def test_a_search_that_has_begun_keeps_its_oracle_with_more_trials(tmp_path: Path) -> None:
    fitted, _ = fit_oracle(experiment(20, name="nsga2"), tmp_path)
    with open_run(tmp_path, fitted):
        RunPaths(tmp_path).journal.touch()
    more, _ = fit_oracle(experiment(60, name="nsga2"), tmp_path)
    assert more.search.oracle == fitted.search.oracle
    anew, _ = fit_oracle(experiment(60, name="nsga2"), tmp_path, overwrite=True)
    assert anew.search.oracle != fitted.search.oracle
