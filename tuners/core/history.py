"""A search's past: trials, folded from the journal's events.

Nothing else is state, so a search that is read back continues as an undisturbed one would. Every
event is a JSON object with `event` and `elapsed` (seconds the search has run, over all its
sessions):

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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from ..core import events
from .errors import SearchError, TunerError, counted
from .genes import Genes, Key, Value, key
from .objective import Objective
from .storage.chain import damaged
from .trial import Trial, trial_id


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
        grown: Genes were met after the first trial had started.
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
        self.grown = False
        self._limit = max_consecutive_failures

    def __repr__(self) -> str:
        trials, sessions = counted(len(self.trials), "trial"), counted(self.sessions, "session")
        return (
            f"<History: {trials} ({len(self.completed())} completed, {len(self.running)} running, "
            f"{len(self.waiting)} waiting), {sessions}, {self.elapsed:.1f} s>"
        )

    def prepare(self, event: events.JsonEvent) -> Callable[[], None]:
        """Return what takes one more event into account, once it is sure to succeed.

        Nothing is changed before it is called, so that an event can be written in between.

        Raises:
            SearchError: The event is none, or does not fit those before it.
        """
        try:
            kind = events.text(event, "event")
            if kind not in self._changes:
                raise SearchError(f"{kind!r} is no kind of event")
            change = self._changes[kind](self, event)
            elapsed = max(self.elapsed, events.number(event, "elapsed"))
        except TunerError:
            raise
        except Exception as error:  # whatever is in it, it is the event's fault
            raise SearchError(f"the event cannot be used: {error!r}") from error

        def apply() -> None:
            self.elapsed = elapsed
            change()

        return apply

    def apply(self, event: events.JsonEvent) -> None:
        """Take one more event into account.

        Raises:
            SearchError: As `prepare`; nothing has changed then.
        """
        self.prepare(event)()

    def completed(self) -> list[Trial]:
        """Trials with metrics, in the order of suggestion."""
        return [trial for trial in self.trials.values() if trial.status == "completed"]

    def _open(self, event: events.JsonEvent) -> Callable[[], None]:
        def change() -> None:
            self.sessions += 1
            for id in list(self.running):
                self._wait(id)
            if self._limit is not None and self.failures >= self._limit:
                self.failures = 0  # whoever opens a stopped search again wants it to go on

        return change

    def _genes(self, event: events.JsonEvent) -> Callable[[], None]:
        genes, before = Genes.from_config(event["genes"]), self.genes or Genes(())
        if tuple(genes[: len(before)]) != tuple(before):
            raise SearchError("the table of genes is another than before")

        def change() -> None:
            self.grown = bool(self.trials)
            self.genes = genes

        return change

    def _enqueue(self, event: events.JsonEvent) -> Callable[[], None]:
        values = events.values(event)
        return lambda: self.enqueued.append(values)

    def _start(self, event: events.JsonEvent) -> Callable[[], None]:
        id, started = events.text(event, "id"), events.number(event, "elapsed")
        if id in self.waiting:
            again = replace(self.trials[id], status="running", started=started)

            def restart() -> None:
                self.waiting.remove(id)
                self.trials[id] = again
                self.running.add(id)

            return restart
        if id != trial_id(len(self.trials)):
            raise SearchError(f"trial {id} cannot start: the next is {trial_id(len(self.trials))}")
        values, sizes = events.values(event), event.get("sizes")
        trial = Trial(
            id=id,
            number=len(self.trials),
            values=values,
            cost=None if event.get("cost") is None else events.number(event, "cost"),
            rejected=int(events.number(event, "rejected", 0)),
            sizes=None if sizes is None else events.sizes(event),
            started=started,
            enqueued=events.flag(event, "enqueued", False),
        )
        if trial.enqueued and values not in self.enqueued:
            raise SearchError(f"the values of trial {id} were not enqueued")

        def start() -> None:
            if trial.enqueued:
                self.enqueued.remove(values)
            self.rejected += trial.rejected
            self.keys[key(values)] = id
            self.trials[id] = trial
            self.running.add(id)

        return start

    def _finish(self, event: events.JsonEvent) -> Callable[[], None]:
        trial = self._run(event)
        values = events.values(event) if "values" in event else trial.values
        ended = replace(
            trial,
            status="completed",
            values=values,
            metrics=events.metrics(event, self.objectives),
            violation=events.number(event, "violation", 0.0),
            info=events.mapping(event, "info"),
            message=None,
            traceback=None,
            seconds=event["elapsed"] - trial.started,
        )

        def change() -> None:
            if values != trial.values:
                if self.keys.get(key(trial.values)) == trial.id:
                    del self.keys[key(trial.values)]
                self.keys[key(values)] = trial.id
            self.failures = 0
            self._end(ended)

        return change

    def _fail(self, event: events.JsonEvent) -> Callable[[], None]:
        trial, final = self._run(event), events.flag(event, "final")
        ended = replace(
            trial,
            status="failed",
            attempt=trial.attempt + 1,
            info=events.mapping(event, "info"),
            message=events.text(event, "message"),
            traceback=events.text_or_none(event, "traceback"),
            seconds=event["elapsed"] - trial.started,
        )

        def change() -> None:
            if final:
                self.failures += 1
                self._end(ended)
            else:
                self.trials[ended.id] = ended
                self._wait(ended.id)

        return change

    def _requeue(self, event: events.JsonEvent) -> Callable[[], None]:
        id = self._run(event).id
        return lambda: self._wait(id)

    def _run(self, event: events.JsonEvent) -> Trial:
        """Return the running trial that an event is about."""
        id = events.text(event, "id")
        if id not in self.running:
            raise SearchError(f"trial {id} is not running")
        return self.trials[id]

    def _end(self, trial: Trial) -> None:
        self.trials[trial.id] = trial
        self.running.discard(trial.id)
        self.ended.append(trial.id)

    def _wait(self, id: str) -> None:
        self.running.discard(id)
        self.trials[id] = replace(self.trials[id], status="waiting")
        self.waiting = sorted({*self.waiting, id}, key=int)

    _changes: ClassVar[Mapping[str, Callable[[History, events.JsonEvent], Callable[[], None]]]] = {
        "open": _open,
        "genes": _genes,
        "enqueue": _enqueue,
        "start": _start,
        "finish": _finish,
        "fail": _fail,
        "requeue": _requeue,
    }


def fold(events: Iterable[events.JsonEvent], history: History, path: Path) -> History:
    """Return `history` after the events of a journal.

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
        except Exception as error:  # nothing else may come of a file
            raise damaged(path, line, str(error)) from error
    return history
