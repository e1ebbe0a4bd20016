"""Folds of a candidate side by side, on a runner that does as it is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kerasnas.experiment import Experiment
from kerasnas.flow.stages.candidates import score_candidates
from kerasnas.flow.task.opening import open_run
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.flow.workers.folds import FoldRunner
from kerasnas.tuners.runners.base import Event, Failed, Finished, Job, Progress, Started
from tests.flow.conftest import SMALL


class Told:
    """A runner of `slots` whose events the test makes."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.jobs: dict[int, Job] = {}
        self.answers: list[tuple[int, bool]] = []
        self.events: list[Event] = []

    def start(self, job: Job, slot: int) -> None:
        assert slot not in self.jobs
        self.jobs[slot] = job

    def place(self, fold: str, candidate: str = "0000") -> int:
        return next(
            slot
            for slot, job in self.jobs.items()
            if (job.values["fold"], job.id) == (fold, candidate)
        )

    def finish(self, fold: str, candidate: str = "0000") -> None:
        slot = self.place(fold, candidate)
        result = {"fold": fold, "values": self.jobs[slot].values["values"]}
        self.events.append(Finished(self.jobs.pop(slot).id, slot, result, 1.0, 100 + slot))

    def wait(self, timeout: float | None = None) -> list[Event]:
        events, self.events = self.events, []
        return events

    def answer(self, slot: int, keep: bool) -> None:
        self.answers.append((slot, keep))

    def kill(self, slot: int) -> None:
        self.events.append(Failed(self.jobs.pop(slot).id, slot, "killed", "", "killed", 1.0))

    def close(self) -> None:
        self.jobs.clear()


def job(number: int = 0) -> Job:
    return Job(f"{number:04d}", "m:candidate", {"run": "r"}, {"n": number}, Path("/trials/x"))


def together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"folds": [part["fold"] for part in parts], "values": parts[0]["values"]}


def spread(slots: int, folds: str = "abc") -> tuple[FoldRunner, Told]:
    told = Told(slots)
    return FoldRunner(told, "m:fold", list(folds), together), told


@pytest.mark.parametrize(("workers", "candidates"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_candidates_are_as_many_as_keep_the_workers_busy(workers: int, candidates: int) -> None:
    assert spread(workers)[0].slots == candidates


def test_folds_run_side_by_side_and_make_one_result_in_their_order() -> None:
    runner, told = spread(2)
    runner.start(job(), 0)
    assert {told.jobs[slot].values["fold"] for slot in (0, 1)} == {"a", "b"}
    first = told.jobs[told.place("a")]
    assert (first.factory, first.arguments) == ("m:fold", {"run": "r"})
    assert first.directory == Path("/trials/x/folda")
    told.finish("b")
    assert runner.wait() == []
    told.finish("c")
    told.finish("a")
    (event,) = runner.wait()
    assert isinstance(event, Finished)
    assert (event.id, event.slot, event.memory) == ("0000", 0, 101)
    assert event.result == {"folds": ["a", "b", "c"], "values": {"n": 0}}


def test_the_oldest_candidate_gets_free_workers_first() -> None:
    runner, told = spread(4)
    for number in (0, 1):
        runner.start(job(number), number)
    ids = sorted(running.id for running in told.jobs.values())
    assert ids == ["0000", "0000", "0000", "0001"]
    told.finish("b", "0000")
    runner.wait()
    assert told.place("b", "0001") is not None


def test_the_first_fold_speaks_for_the_candidate() -> None:
    runner, told = spread(3)
    runner.start(job(), 0)
    a, b = told.place("a"), told.place("b")
    told.events = [
        Started("0000", b, 7, "here"),
        Started("0000", a, 8, "here"),
        Progress("0000", b, 1, {"val_loss": 0.1}),
        Progress("0000", a, 1, {"val_loss": 0.5}),
    ]
    events = runner.wait()
    assert events == [
        Started("0000", 0, 7, "here"),
        Progress("0000", 0, 1, {"val_loss": 0.5}),
    ]
    runner.answer(0, True)
    assert told.answers == [(b, True), (a, True)]


def test_an_early_stop_ends_the_folds_under_way_and_begins_no_other() -> None:
    runner, told = spread(2)
    runner.start(job(), 0)
    a, b = told.place("a"), told.place("b")
    told.events = [Progress("0000", a, 1, {})]
    runner.wait()
    runner.answer(0, False)
    told.events = [Progress("0000", b, 1, {})]
    assert runner.wait() == []
    assert told.answers == [(a, False), (b, False)]
    told.finish("a")
    told.finish("b")
    (event,) = runner.wait()
    assert isinstance(event, Finished)
    assert event.result["folds"] == ["a", "b"]
    assert not told.jobs


def test_a_failed_fold_ends_its_candidate_once_with_its_own_reason() -> None:
    runner, told = spread(2)
    runner.start(job(), 0)
    slot = told.place("b")
    told.jobs.pop(slot)
    told.events = [Failed("0000", slot, "out of memory", "trace", "memory", 1.0)]
    assert runner.wait() == []
    (event,) = runner.wait()
    assert isinstance(event, Failed)
    assert (event.slot, event.message, event.cause) == (0, "out of memory", "memory")
    runner.start(job(1), 0)
    assert len(told.jobs) == 2


def test_a_killed_candidate_fails_even_if_no_fold_of_it_has_begun() -> None:
    runner, told = spread(1, "ab")
    runner.start(job(), 0)
    runner.kill(0)
    (event,) = runner.wait()
    assert isinstance(event, Failed)
    assert event.cause == "killed"
    assert not told.jobs


@pytest.mark.slow
@pytest.mark.usefixtures("in_processes")
def test_a_search_scores_the_same_with_its_folds_spread(workspace: Path, tmp_path: Path) -> None:
    found = {}
    for name, spread_folds in (("one_after_another", False), ("side_by_side", True)):
        settings = {**SMALL, "name": name}
        settings["search"] = {
            **SMALL["search"], "trials": 1, "folds": 2, "workers": 2, "threads": 1,
            "spread_folds": spread_folds,
        }  # fmt: skip
        settings["training"] = {"candidate": {"epochs": 1}}
        experiment, run = Experiment.model_validate(settings), tmp_path / name
        with open_run(run, experiment):
            task = load_task(experiment)
            session = Session(run, task, workspace / "cache", None, Console(quiet=True))
            best = score_candidates(session).best("accuracy")
        found[name] = {**best.metrics}
        assert {place.name for place in (run / "trials/0000").glob("fold*")} == {"fold1", "fold2"}
    assert found["one_after_another"] == pytest.approx(found["side_by_side"], rel=1e-4)
