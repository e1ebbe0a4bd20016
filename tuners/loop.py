"""The loop between a search and a runner: every slot busy while there is work to give out.

Early stopping is the median rule of Golovin et al., "Google Vizier: A Service for Black-Box
Optimization" (2017), section 3.2.2. Deviations: trials stopped early count among the others up to
the step they reached, so that the bar at a step is set by all that reached it; and a minimum
number of others is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .core.errors import SearchError, TunerError
from .core.pareto import Direction
from .core.trial import Trial
from .runners.base import Event, Failed, Finished, Job, Progress, Runner
from .search import Search

TIMES_LOST = 3
"""A trial whose worker was lost so often without a result fails: it may be what breaks them."""

Curve = Sequence[tuple[int, float | None]]
"""`(step, value)` in the order of steps; None for a value that was not finite."""


class MedianStop(BaseModel):
    """When a trial that is going badly is stopped early."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str = Field(description="which of the reported metrics is compared")
    direction: Direction = Field(description="where better values lie")
    first_step: int = Field(5, ge=0, description="the first step at which a trial may be stopped")
    minimum_trials: int = Field(5, ge=1, description="trials to compare with, at least")


def hopeless(curve: Curve, others: Iterable[Curve], rule: MedianStop) -> bool:
    """Whether a trial's best value so far is worse than the median of the others' running means.

    Args:
        curve: What the running trial has reported, at least one value.
        others: What ended trials reported; those that did not get to this step do not count.
        rule: Direction, first step and number of others; its metric is what the curves hold.
    """
    step = curve[-1][0]
    if step < rule.first_step:
        return False
    means = [
        fmean(_losses((point for point in other if point[0] <= step), rule))
        for other in others
        if other and other[-1][0] >= step
    ]
    return len(means) >= rule.minimum_trials and min(_losses(curve, rule)) > median(means)


def _losses(points: Iterable[tuple[int, float | None]], rule: MedianStop) -> list[float]:
    sign = 1.0 if rule.direction == "min" else -1.0
    return [math.inf if value is None else sign * value for _, value in points]


def run(
    search: Search,
    runner: Runner,
    make_job: Callable[[Trial], Job],
    *,
    on_event: Callable[[Event], object] = lambda event: None,
    median_stop: MedianStop | None = None,
) -> None:
    """Run trials until the search has none left to start and all have ended.

    A job's result is `{"metrics": {...}, ...}`: the metrics, and if present `violation` and
    `values`, go to `Search.tell` as such, all else and the `seconds` it took go to its `info`. A
    result that cannot be kept fails its trial. A failed trial's `info` has `cause` and `seconds`.
    With `median_stop`, `info` keeps the `curve`, which a resumed search compares with, and
    `stopped_at`, the step of an early end.

    Args:
        search: Open; it stays open.
        runner: Idle; it is idle again afterwards, and closed when an exception is raised.
        make_job: The job of a trial; its id must be the trial's.
        on_event: Called with each event, after the search was told of it.
        median_stop: When to stop hopeless trials; None lets all run to their end.

    Raises:
        TunerError: A worker could not load the factory, or found the disk full; or what the
            search or the runner raise.
        KeyboardInterrupt: As it comes. After any exception the trials that ran are still
            running in the journal: a search opened on it runs them again.
    """
    try:
        _Loop(search, runner, make_job, on_event, median_stop).run()
    except BaseException:
        runner.close()
        raise


class _Loop:
    def __init__(
        self,
        search: Search,
        runner: Runner,
        make_job: Callable[[Trial], Job],
        on_event: Callable[[Event], object],
        median_stop: MedianStop | None,
    ) -> None:
        self.search = search
        self.runner = runner
        self.make_job = make_job
        self.on_event = on_event
        self.rule = median_stop
        self.free = set(range(runner.slots))
        self.lost: dict[str, int] = {}
        self.curves: dict[str, list[tuple[int, float | None]]] = {}
        self.stopped: dict[str, int] = {}
        # in the order of trials, as a resumed search has them too
        self.ended: dict[str, Curve] = {
            trial.id: [(step, value) for step, value in trial.info["curve"]]
            for trial in search.trials
            if trial.status == "completed" and "curve" in trial.info
        }

    def run(self) -> None:
        while self._fill() or len(self.free) < self.runner.slots:
            for event in self.runner.wait():
                self._take(event)
                self.on_event(event)

    def _fill(self) -> bool:
        """Start trials in all free slots; False when none was started."""
        started = False
        for slot in sorted(self.free):
            if (trial := self.search.ask()) is None:
                break
            self.runner.start(self.make_job(trial), slot)
            self.free.remove(slot)
            self.curves[trial.id] = []
            started = True
        return started

    def _take(self, event: Event) -> None:
        match event:
            case Progress():
                self.runner.answer(event.slot, self._keep(event))
            case Finished():
                self.free.add(event.slot)
                self._finish(event)
            case Failed():
                self.free.add(event.slot)
                self._fail(event)

    def _keep(self, event: Progress) -> bool:
        if self.rule is None or (value := event.metrics.get(self.rule.metric)) is None:
            return True
        curve = self.curves[event.id]
        curve.append((event.step, value if math.isfinite(value) else None))
        if hopeless(curve, self.ended.values(), self.rule):
            self.stopped.setdefault(event.id, event.step)
        return event.id not in self.stopped

    def _finish(self, event: Finished) -> None:
        info: dict[str, Any] = {**event.result, "seconds": event.seconds}
        metrics = info.pop("metrics")
        violation, values = info.pop("violation", 0.0), info.pop("values", None)
        if curve := self.curves.pop(event.id):
            info["curve"] = curve
        if event.id in self.stopped:
            info["stopped_at"] = self.stopped.pop(event.id)
        try:
            trial = self.search.tell(event.id, metrics, info, violation=violation, values=values)
        except SearchError as error:
            own = {"cause": "exception", "seconds": event.seconds}
            self.search.fail(event.id, f"its result cannot be kept: {error}", info=own)
            return
        if curve and trial.status == "completed":
            self.ended[event.id] = curve

    def _fail(self, event: Failed) -> None:
        self.curves.pop(event.id)
        self.stopped.pop(event.id, None)
        message = event.message
        if event.cause in ("import", "disk"):
            remedy = ". Make room and run the same search again" if event.cause == "disk" else ""
            error = TunerError(f"the search cannot run its trials: {message}{remedy}")
            error.add_note(event.traceback)
            raise error
        if event.cause == "lost":
            self.lost[event.id] = self.lost.get(event.id, 0) + 1
            if self.lost[event.id] < TIMES_LOST:
                self.search.requeue(event.id)
                return
            message = f"its worker was lost {TIMES_LOST} times, at last: {message}"
        info = {"cause": event.cause, "seconds": event.seconds}
        self.search.fail(event.id, message, event.traceback, info)
