"""A search's past: trials, folded from the journal's events.

Nothing else is state, so a search that is read back continues as an
undisturbed one would. Every event is a JSON object with `event` and `elapsed` (seconds the search
has run, over all its sessions):

- `open`: a session begins (`pid`, `time`); trials that were running will be run again.
- `genes`: the table of genes (`genes`), whole; it only ever grows at its end.
- `enqueue`: `values` to try next.
- `start`: a run of trial `id` begins; the first run's event carries `values`, `cost`,
  `rejected`, `sizes`, `enqueued`.
- `finish`: `metrics`, `info`, `violation`, and `values` where the evaluation met more genes.
- `fail`: `message`, `traceback`, `info`, `final` (false: it is run again).
- `requeue`: the run was lost through no fault of the trial; it is run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .genes import Genes, Key, Value, key
from .journal import damaged
from .objective import Objective

Status = Literal["running", "waiting", "completed", "failed"]


@dataclass(frozen=True)
class Trial:
    """One set of values and what came of it.

    Attributes:
        id: `"0000"`, `"0001"`, ... in the order of suggestion.
        number: The same as a number.
        values: Of the active genes, plain Python.
        status: `running`, `waiting` (to be run again), `completed` or `failed`.
        attempt: How many of its runs have failed so far.
        cost: What the window's cost function said; None without one.
        rejected: Candidates that the window refused before these values.
        sizes: Least, median and greatest cost of those; None when there were none.
        metrics: Of a completed trial; None for one, no objective, that was not finite.
        violation: How far it breaks a constraint; 0 is feasible.
        info: Whatever else the evaluation told.
        message: Why the last run failed.
        traceback: Its traceback.
        started: Seconds into the search at which its last run began.
        seconds: How long its last run took, once it ended.
        enqueued: The values were given by the user.
    """

    id: str
    number: int
    values: Mapping[str, Value]
    status: Status = "running"
    attempt: int = 0
    cost: float | None = None
    rejected: int = 0
    sizes: tuple[float, float, float] | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    violation: float = 0.0
    info: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None
    traceback: str | None = None
    started: float = 0.0
    seconds: float | None = None
    enqueued: bool = False


def trial_id(number: int) -> str:
    """The id of the trial with this number."""
    return f"{number:04d}"


class History:
    """What the events so far amount to. Read freely; only `apply` changes it.

    Attributes:
        objectives: What the trials are scored by; no event changes them.
        genes: The table; None before the first `genes` event.
        trials: By id, in the order of suggestion.
        keys: The id of the trial that has tried these values.
        waiting: Ids of trials to run again, least first.
        running: Ids of trials being run.
        ended: Ids of trials that completed or finally failed, in the order in which they did.
        enqueued: Values that no trial has yet.
        failures: Trials failed since one completed, or since a session began after a stop.
        rejected: Candidates refused by the window, over all trials.
        elapsed: Seconds the search has run.
        sessions: How often it was opened.
    """

    def __init__(
        self, objectives: Sequence[Objective] = (), max_consecutive_failures: int | None = None
    ) -> None:
        self.objectives = tuple(objectives)
        self.genes: Genes | None = None
        self.trials: dict[str, Trial] = {}
        self.keys: dict[Key, str] = {}
        self.waiting: list[str] = []
        self.running: set[str] = set()
        self.ended: list[str] = []
        self.enqueued: list[dict[str, Value]] = []
        self.failures = 0
        self.rejected = 0
        self.elapsed = 0.0
        self.sessions = 0
        self._limit = max_consecutive_failures

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take one more event into account."""
        self.elapsed = max(self.elapsed, event["elapsed"])
        getattr(self, f"_{event['event']}")(event)

    def completed(self) -> list[Trial]:
        """Trials with metrics, in the order of suggestion."""
        return [trial for trial in self.trials.values() if trial.status == "completed"]

    def _open(self, event: Mapping[str, Any]) -> None:
        self.sessions += 1
        for id in list(self.running):
            self._wait(id)
        if self._limit is not None and self.failures >= self._limit:
            self.failures = 0  # whoever opens a stopped search again wants it to go on

    def _genes(self, event: Mapping[str, Any]) -> None:
        self.genes = Genes.from_config(event["genes"])

    def _enqueue(self, event: Mapping[str, Any]) -> None:
        self.enqueued.append(dict(event["values"]))

    def _start(self, event: Mapping[str, Any]) -> None:
        id = event["id"]
        if id in self.trials:
            trial = replace(self.trials[id], status="running", started=event["elapsed"])
            if id in self.waiting:
                self.waiting.remove(id)
        else:
            values = dict(event["values"])
            sizes = event.get("sizes")
            enqueued = event.get("enqueued", False)
            if enqueued:
                self.enqueued.remove(values)
            trial = Trial(
                id=id,
                number=len(self.trials),
                values=values,
                cost=event.get("cost"),
                rejected=event.get("rejected", 0),
                sizes=tuple(sizes) if sizes else None,
                started=event["elapsed"],
                enqueued=enqueued,
            )
            self.rejected += trial.rejected
            self.keys[key(values)] = id
        self.trials[id] = trial
        self.running.add(id)

    def _finish(self, event: Mapping[str, Any]) -> None:
        trial = self.trials[event["id"]]
        values = dict(event.get("values") or trial.values)
        if values != trial.values:
            del self.keys[key(trial.values)]
            self.keys[key(values)] = trial.id
        self.running.discard(trial.id)
        self.ended.append(trial.id)
        self.failures = 0
        self.trials[trial.id] = replace(
            trial,
            status="completed",
            values=values,
            metrics=event["metrics"],
            violation=event.get("violation", 0.0),
            info=event.get("info", {}),
            message=None,
            traceback=None,
            seconds=event["elapsed"] - trial.started,
        )

    def _fail(self, event: Mapping[str, Any]) -> None:
        trial = self.trials[event["id"]]
        self.trials[trial.id] = replace(
            trial,
            status="failed",
            attempt=trial.attempt + 1,
            info=event.get("info", {}),
            message=event["message"],
            traceback=event.get("traceback"),
            seconds=event["elapsed"] - trial.started,
        )
        if event["final"]:
            self.running.discard(trial.id)
            self.ended.append(trial.id)
            self.failures += 1
        else:
            self._wait(trial.id)

    def _requeue(self, event: Mapping[str, Any]) -> None:
        self._wait(event["id"])

    def _wait(self, id: str) -> None:
        self.running.discard(id)
        self.trials[id] = replace(self.trials[id], status="waiting")
        self.waiting = sorted({*self.waiting, id}, key=int)


def fold(events: Iterable[Mapping[str, Any]], history: History, path: Path) -> History:
    """`history` after the events of a journal.

    Args:
        events: All that follow the header.
        history: As it was before them; changed in place.
        path: Of the journal, for messages.

    Raises:
        JournalError: An event does not fit those before it.
    """
    for line, event in enumerate(events, 2):
        try:
            history.apply(event)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, line, str(event)[:60]) from error
    return history
