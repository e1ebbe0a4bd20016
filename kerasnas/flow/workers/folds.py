"""The folds of one candidate side by side: a runner of candidates over a runner of folds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kerasnas import measures
from kerasnas.experiment import Experiment
from kerasnas.flow.task.trainings import Scores
from kerasnas.runs.layout import TrainingPaths
from kerasnas.training.scoring.fold_means import fold_means
from kerasnas.tuners.runners.base import Event, Failed, Finished, Job, Progress, Runner, Started

Combine = Callable[[Sequence[dict[str, Any]]], dict[str, Any]]


@dataclass
class _Candidate:
    """A candidate under way, in one of our slots."""

    job: Job
    waiting: deque[str]
    running: dict[str, int] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: Failed | None = None
    stopped: bool = False
    started: float | None = None
    memory: int = 0


class FoldRunner:
    """Runs candidates, each as one job a fold, on the slots of another runner.

    Slots are as many as candidates are needed to keep the other's busy. A candidate's first fold
    speaks for it while it trains: an early stop that is the answer to its progress stops the other
    folds, too, and only folds that were begun then count. A fold that fails ends its candidate.
    """

    def __init__(
        self, runner: Runner, factory: str, folds: Sequence[str | None], combine: Combine
    ) -> None:
        """Take over an idle runner.

        Args:
            runner: What runs the folds; it is closed with this one.
            factory: Of a fold's job, in place of the candidate's; its values are the candidate's
                `values` and the name of the `fold`.
            folds: Their names.
            combine: Makes a candidate's result of those of its folds, in their order.
        """
        self._runner, self._factory, self._combine = runner, factory, combine
        self._folds = tuple(str(fold) for fold in folds)
        self._free = set(range(runner.slots))
        self._candidates: dict[int, _Candidate] = {}
        self._owner: dict[int, tuple[int, str]] = {}
        self._due: list[Event] = []

    @property
    def slots(self) -> int:
        """How many candidates run side by side."""
        return -(-self._runner.slots // len(self._folds))

    def start(self, job: Job, slot: int) -> None:
        """Begin a candidate; see `Runner.start`."""
        self._candidates[slot] = _Candidate(job, deque(self._folds))
        self._fill()

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Events of candidates; may also be empty when only a fold has ended."""
        events, self._due = self._due, []
        for event in self._runner.wait(0 if events else timeout):
            events += self._take(event)
        self._fill()
        return events

    def answer(self, slot: int, keep: bool) -> None:
        """Let a candidate go on, or stop all of its folds early."""
        candidate = self._candidates[slot]
        if not keep:
            candidate.stopped = True
            candidate.waiting.clear()
        self._runner.answer(candidate.running[self._folds[0]], keep)

    def kill(self, slot: int) -> None:
        """End a candidate now; see `Runner.kill`."""
        candidate = self._candidates[slot]
        candidate.waiting.clear()
        for place in candidate.running.values():
            self._runner.kill(place)
        if not candidate.running:
            del self._candidates[slot]
            self._due.append(Failed(candidate.job.id, slot, "killed", "", "killed", 0.0))

    def close(self) -> None:
        """End every worker."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fill(self) -> None:
        """Start waiting folds, those of the oldest candidate first."""
        for slot, candidate in self._candidates.items():
            while candidate.waiting and self._free:
                fold, place = candidate.waiting.popleft(), self._free.pop()
                candidate.running[fold], self._owner[place] = place, (slot, fold)
                job = candidate.job
                training = None if job.directory is None else TrainingPaths(job.directory)
                self._runner.start(
                    Job(
                        job.id,
                        self._factory,
                        job.arguments,
                        {"values": dict(job.values), "fold": fold},
                        None if training is None else training.fold(fold).path,
                        job.time_limit,
                    ),
                    place,
                )

    def _take(self, event: Event) -> list[Event]:
        slot, fold = self._owner[event.slot]
        candidate = self._candidates[slot]
        match event:
            case Started():
                if candidate.started is not None:
                    return []
                candidate.started = time.monotonic()
                return [Started(event.id, slot, event.pid, event.host)]
            case Progress():
                if fold == self._folds[0] and not candidate.stopped:
                    return [Progress(event.id, slot, event.step, event.metrics)]
                self._runner.answer(event.slot, not candidate.stopped)
                return []
            case Finished():
                candidate.results[fold] = event.result
                candidate.memory = max(candidate.memory, event.memory)
            case Failed():
                candidate.waiting.clear()
                if candidate.failure is None:
                    candidate.failure = event
                    for place in candidate.running.values():
                        if place != event.slot:
                            self._runner.kill(place)
        del candidate.running[fold], self._owner[event.slot]
        self._free.add(event.slot)
        return [] if candidate.running or candidate.waiting else [self._ended(slot)]

    def _ended(self, slot: int) -> Event:
        candidate = self._candidates.pop(slot)
        started = candidate.started
        seconds = 0.0 if started is None else time.monotonic() - started
        if (failure := candidate.failure) is not None:
            return Failed(
                failure.id, slot, failure.message, failure.traceback, failure.cause, seconds
            )
        results = [candidate.results[fold] for fold in self._folds if fold in candidate.results]
        result = self._combine(results)
        return Finished(candidate.job.id, slot, result, seconds, candidate.memory)


def mean_of_folds(experiment: Experiment, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a candidate's result of those of its folds; `test` where test clips were scored."""
    primary, cost = experiment.primary_metric, found[0]["cost"]
    costs = {name: cost[name] for name in experiment.objectives if name in measures.COSTS}
    means = fold_means([Scores.from_json(each["validation"]) for each in found])
    metrics = {name: means[name] for name in {primary, "loss", *experiment.criteria}}
    if all("test" in each for each in found):
        test = fold_means([Scores.from_json(each["test"]) for each in found])
        metrics[f"test_{primary}"] = test[primary]
    return {"metrics": metrics | costs, **cost}
