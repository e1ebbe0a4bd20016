"""Ranks of a supernet's scores and of trained networks."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kendalltau

from kerasnas.experiment import Experiment
from kerasnas.flow.stages import agreement
from kerasnas.flow.stages.agreement import kendall, stratified
from kerasnas.flow.task.session import Session
from kerasnas.flow.workers import pool
from kerasnas.models.nasc import NascSettings, NascSpace, Stage
from kerasnas.runs.records import Agreement, RankCorrelation
from kerasnas.tuners import Gene, Search
from tests.report.conftest import make_evaluation


def test_kendall_counts_pairs_and_ties() -> None:
    # Pairs of 1 2 3 4: five agree, one (the last two) does not: (5 - 1) / 6.
    assert kendall([1, 2, 3, 4], [10, 20, 40, 30]).tau == pytest.approx(2 / 3)
    # tau-b: one pair is tied in the second score: 2 / sqrt(3 * 2).
    assert kendall([1, 2, 3], [1, 1, 2]).tau == pytest.approx(2 / np.sqrt(6))
    rng = np.random.default_rng(1)
    for _ in range(5):
        first, second = rng.integers(0, 6, (2, 20))
        assert kendall(first, second).tau == pytest.approx(kendalltau(first, second).statistic)


def figures(found: RankCorrelation) -> tuple[float | None, ...]:
    return found.tau, found.low, found.high


def test_the_interval_holds_the_value_and_depends_on_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=30)
    second = first + rng.normal(size=30)
    found = kendall(first, second)
    assert -1 <= found.low < found.tau < found.high <= 1
    assert figures(kendall(first, second)) == figures(found)
    assert figures(kendall(first, first)) == pytest.approx((1, 1, 1))
    assert np.isnan(figures(kendall([1, 1, 1], [1, 2, 3]))).all()


def test_strata_are_stretches_of_the_ranking() -> None:
    found = stratified(range(40), 12, np.random.default_rng(0))
    edges = np.cumsum([4] * 4 + [3] * 8)
    assert [int(np.searchsorted(edges, item, "right")) for item in found] == list(range(12))


def test_candidates_are_trained_on_training_clips_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(filters=3, layers=2, expansions=(1, 2, 3, 4), kernel_sizes=(3,))
    settings = NascSettings(stages=(stage,), recurrent_layers=0)
    space = NascSpace((8, 6, 1), 3, settings=settings)
    experiment = Experiment.model_validate(
        {
            "name": "x",
            "search": {"supernet": {"agreement": {"paths": 12, "epochs": 7}}},
            "training": {"final": {"patience": 2}},
        }
    )
    genes = [Gene(name, values=tuple(options)) for name, options in space.choices.items()]
    objectives = [("accuracy", "max"), ("loss", "min")]
    with Search(genes, objectives, max_trials=14, directory=tmp_path) as search:
        while trial := search.ask():
            score = trial.number / 14
            search.tell(trial.id, {"accuracy": score, "loss": 1 - score})

    def run_finals(session, group, jobs, *, planned, epochs, tolerant):
        assert (group, planned, epochs) == ("agreement", 12, 7)
        for training, description in jobs.values():
            assert description.scored_on == "validation"
            assert description.recipe["epochs"] == 7
            assert description.recipe["patience"] is None
            metrics = {"accuracy": int(training.path.name) ** 2 / 200, "loss": 1.0}
            make_evaluation(metrics=metrics).write(training.evaluation)
            training.model.write_text("")

    monkeypatch.setattr(pool, "run_finals", run_finals)
    task = SimpleNamespace(experiment=experiment, architecture=space.architecture)
    said: list[str] = []
    console = SimpleNamespace(print=lambda text, **how: said.append(text))
    session = Session(tmp_path, task, tmp_path, None, console)
    agreement.measure(session)
    found = Agreement.read(session.paths.agreement)
    assert len(found.paths) == 12
    assert found.kendall["accuracy"].tau == pytest.approx(1)
    assert figures(found.kendall["loss"]) == (None, None, None)

    monkeypatch.setattr(pool, "run_finals", None)  # nothing is trained again
    agreement.measure(session)

    more = experiment.search.supernet.agreement.model_copy(update={"paths": 15})
    supernet = experiment.search.supernet.model_copy(update={"agreement": more})
    search = experiment.search.model_copy(update={"supernet": supernet})
    task.experiment = experiment.model_copy(update={"search": search})
    agreement.measure(session)  # as where time was up: the search goes on
    assert "asks for 15 candidates, and 14 were scored" in said[-1]
