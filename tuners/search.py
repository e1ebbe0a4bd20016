"""The core of every oracle: `ask` for a trial, `tell` what came of it, lose nothing.

A search's state is its history, and the history is a fold over its journal. Suggestion k is drawn
with `numpy.random.default_rng((seed, k))` from the history alone, so a search that was killed
suggests what an undisturbed one would have, and random search suggests the same for any number of
workers. (A retry keeps its trial's values: no further number of attempts enters the generator.)
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from .core.errors import SearchError, counted
from .core.genes import Gene, Genes, Values, key
from .core.history import History
from .core.ledger import Ledger
from .core.objective import objectives_from
from .core.plain import json_number, plain, plain_info, plain_metrics
from .core.propose import Propose, Wait, Window, choose, plain_cost, uniform
from .core.trial import Trial, trial_id
from .results import Results


class Search(Results):
    """A search: asks for trials, is told of their results, and can be closed and opened again.

    ```python
    with Search(genes, [("accuracy", "max")], max_trials=20, directory=run) as search:
        while trial := search.ask():
            search.tell(trial.id, {"accuracy": evaluate(trial.values)})
    ```
    Every method may be called from several threads.

    Args:
        genes: The table of genes. It is frozen when the first trial is suggested.
        objectives: Names and directions (`"min"`, `"max"`), at least one. They are never added.
        max_trials: Trials in all, failed ones included and retries not; None for no limit.
        propose: The oracle: a pure generator of candidates.
        window: What a candidate may cost; candidates outside never become trials.
        seed: Not negative. 0 is a seed as any other.
        directory: Where `journal.jsonl` is kept, or continued; None keeps all in memory.
        identity: JSON that tells this search from others; a journal with another identity is
            refused. Seed, objectives, genes and the window's bounds are part of it without saying.
        max_retries: How often a failed trial is run again.
        max_consecutive_failures: Trials that fail one after another before the search stops.
            Opening a search that stopped so lets it go on.
        time_budget: Seconds over all sessions after which no more runs start.
        patience: Candidates looked at for one suggestion before giving up.
        take_over: See `Journal`.
        clock: Seconds, monotonic.

    Raises:
        SearchError: The arguments are wrong, or the directory holds another search.
        JournalError: See `Journal`.
    """

    def __init__(
        self,
        genes: Genes | Iterable[Gene],
        objectives: Sequence[tuple[str, str]],
        *,
        max_trials: int | None,
        propose: Propose = uniform,
        window: Window | None = None,
        seed: int = 0,
        directory: Path | str | None = None,
        identity: Mapping[str, Any] | None = None,
        max_retries: int = 0,
        max_consecutive_failures: int | None = 3,
        time_budget: float | None = None,
        patience: int = 10_000,
        take_over: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(History(objectives_from(objectives), max_consecutive_failures))
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise SearchError(f"seed must be an integer from 0, not {seed!r}")
        if patience < 1:
            raise SearchError(f"patience must be at least 1, not {patience!r}")
        self.max_trials = max_trials
        self.max_retries = max_retries
        self.max_consecutive_failures = max_consecutive_failures
        self.time_budget = time_budget
        self.window = window
        self._propose = propose
        self._seed = seed
        self._patience = patience
        self._exhausted: str | None = None
        self._mutex = threading.RLock()
        self._declared = genes if isinstance(genes, Genes) else Genes(genes)
        own = {
            "seed": seed,
            "objectives": [list(objective) for objective in self.objectives],
            "window": [window.minimum, window.maximum] if window else None,
        }
        whole = {**own, **(identity or {})}
        self._ledger = Ledger(self.history, self._declared, directory, whole, take_over, clock)

    # --- Reading -------------------------------------------------------------------------------

    @property
    def genes(self) -> Genes:
        """The table of genes."""
        return self.history.genes or self._declared

    @property
    def elapsed(self) -> float:
        """Seconds the search has run, over all sessions."""
        return self._ledger.elapsed

    @property
    def dropped(self) -> int:
        """Bytes of a half-written event that were cut off when the journal was opened."""
        return self._ledger.dropped

    @property
    def resumed(self) -> bool:
        """Whether the journal held an earlier session."""
        return self.history.sessions > 1

    @property
    def finished(self) -> str | None:
        """Why no new trial will start, in words; None while there is work to give out.

        Runs that are under way do not count: one that fails may still be given out again.
        """
        with self._mutex:
            return self._stopped() or (None if self.history.waiting else self._complete())

    @property
    def exhausted(self) -> bool:
        """Whether no new trial will start because the oracle has nothing left to propose.

        A trial that is running may meet genes that are not known yet, and so bring new candidates.
        """
        return self._exhausted is not None and self.finished == self._exhausted

    @property
    def failing(self) -> bool:
        """Whether so many trials have failed one after another that the search stops."""
        limit = self.max_consecutive_failures
        return limit is not None and self.history.failures >= limit

    @property
    def closed(self) -> bool:
        """Whether the directory was given up; results can still be read."""
        return self._ledger.closed

    # --- Searching -----------------------------------------------------------------------------

    def ask(self) -> Trial | None:
        """Return the next trial to run: interrupted and failed ones first, then enqueued, then new.

        Returns:
            None when there is nothing to start. If trials are running, ask again when one of them
            has ended: a failed one may be given out again, and an oracle may wait for results.
            `finished` says why, or None when it is only a matter of waiting.

        Raises:
            SearchError: No candidate lies in the window.
            JournalError: The trial could not be written; it has not been given out.
        """
        with self._mutex:
            if self._stopped():
                return None
            if self.history.waiting:
                id = self.history.waiting[0]
                self._ledger.record("start", id=id)
                return self.history.trials[id]
            return None if self._complete() else self._next()

    def tell(
        self,
        id: str,
        metrics: Mapping[str, float],
        info: Mapping[str, Any] | None = None,
        *,
        violation: float = 0.0,
        values: Values | None = None,
    ) -> Trial:
        """Record that the trial of this id has been evaluated.

        A missing or not finite objective makes it a failed run, as `fail` does.

        Args:
            id: Of a running trial.
            metrics: By name, every objective among them.
            info: What else is to be kept; plain JSON (NumPy scalars are turned into plain ones).
            violation: How far a constraint is broken; 0 is feasible.
            values: The trial's values, when the evaluation met more genes than were suggested.

        Returns:
            The trial as it is now.

        Raises:
            SearchError: The trial is not running, or what was told cannot be kept: a metric or the
                violation is no number, a value no finite number, text or Boolean, and so on.
                Nothing has changed then.
            JournalError: The disk is full, for example; nothing has changed either.
        """
        with self._mutex:
            trial = self._running(id)
            numbers, kept = plain_metrics(metrics), plain_info(info)
            for name, _ in self.objectives:
                if name == "cost" and name not in numbers:
                    numbers[name] = trial.cost
                if numbers.get(name) is None:
                    found = metrics[name] if name in metrics else f"only {', '.join(metrics)}"
                    message = f"no finite value for the objective {name!r}: received {found}"
                    return self.fail(id, message, info={**kept, "metrics": numbers})
            broken = json_number(violation, "violation")
            grown = {} if values is None else {"values": plain(values)}
            if grown.get("values") == trial.values:
                grown = {}
            self._ledger.record(
                "finish",
                durable=True,
                id=id,
                metrics=numbers,
                violation=broken if broken > 0 or not math.isfinite(broken) else 0.0,
                info=kept,
                **grown,
            )
            return self.history.trials[id]

    def fail(
        self,
        id: str,
        message: str,
        traceback: str = "",
        info: Mapping[str, Any] | None = None,
        *,
        retry: bool = True,
    ) -> Trial:
        """Record that a run of the trial of this id has failed.

        Args:
            id: Of a running trial.
            message: Why, in one line.
            traceback: The whole traceback, when there is one.
            info: What else is to be kept; plain JSON.
            retry: Whether it may be run again (at most `max_retries` times).

        Returns:
            The trial as it is now: `waiting` when it will be run again, else `failed`.

        Raises:
            SearchError: The trial is not running, or what was told cannot be kept. Nothing has
                changed then.
            JournalError: The disk is full, for example; nothing has changed either.
        """
        with self._mutex:
            trial = self._running(id)
            final = not retry or trial.attempt >= self.max_retries
            self._ledger.record(
                "fail",
                durable=final,
                id=id,
                message=message,
                traceback=None if traceback == "" else traceback,
                info=plain_info(info),
                final=final,
            )
            return self.history.trials[id]

    def requeue(self, id: str) -> None:
        """Run a trial again, uncounted, whose run was lost through no fault of its own."""
        with self._mutex:
            self._running(id)
            self._ledger.record("requeue", id=id)

    def enqueue(self, values: Values) -> bool:
        """Try these values next, before anything is suggested (a warm start).

        Returns:
            False when they were tried or enqueued before; nothing is done then, so that a script
            can be run again.

        Raises:
            SearchError: A value is missing, unknown or not allowed, or the window refuses them.
        """
        with self._mutex:
            checked = self.genes.check(values)
            known = [*self.history.keys, *map(key, self.history.enqueued)]
            if key(checked) in known:
                return False
            if self.window is not None:
                cost = plain_cost(self.window.cost(checked), checked)
                if not self.window.contains(cost):
                    raise SearchError(
                        f"the enqueued values cost {cost:,.0f}, outside the window of "
                        f"{self.window}: enqueue others or widen the window"
                    )
            self._ledger.record("enqueue", values=checked)
            self._exhausted = None
            return True

    def extend(self, genes: Iterable[Gene]) -> None:
        """Add genes that were met only after the first suggestion; known ones stay as they are."""
        with self._mutex:
            grown = self.genes.extended(genes)
            if grown is self.genes:
                return
            self._exhausted = None
            if self.history.genes is None:
                self._declared = grown
            else:
                self._ledger.record("genes", genes=grown.config())

    def close(self) -> None:
        """Give the directory up. Running trials will be run again by whoever opens it next."""
        with self._mutex:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Inside --------------------------------------------------------------------------------

    def _next(self) -> Trial | None:
        history, number = self.history, len(self.history.trials)
        if history.genes is None:
            self._ledger.record("genes", genes=self._declared.config())
        if history.enqueued:
            values = history.enqueued[0]
            cost = None if self.window is None else plain_cost(self.window.cost(values), values)
            return self._start(number, values=values, cost=cost, enqueued=True)
        rng = np.random.default_rng((self._seed, number))
        candidates = self._propose(self.genes, history, rng, number)
        try:
            found = choose(candidates, self.window, history.keys, self._patience)
        except Wait:
            return None
        if found.values is not None:
            extra = {"rejected": found.rejected, "sizes": found.sizes} if found.rejected else {}
            return self._start(number, values=found.values, cost=found.cost, **extra)
        if found.rejected == found.tried and not history.trials:
            raise SearchError(found.nothing(self.window))
        self._exhausted = found.nothing(self.window)
        return None

    def _start(self, number: int, **fields: Any) -> Trial:
        id = trial_id(number)
        self._ledger.record("start", id=id, **fields)
        return self.history.trials[id]

    def _running(self, id: str) -> Trial:
        trial = self.trial(id)
        if id not in self.history.running:
            raise SearchError(f"trial {id} is {trial.status}, not running: ask for it first")
        return trial

    def _stopped(self) -> str | None:
        """Why not even a waiting trial may start."""
        if self.failing:
            last = [trial for trial in self.history.trials.values() if trial.status == "failed"]
            return (
                f"{counted(self.history.failures, 'trial')} failed one after another, "
                f"at last {last[-1].id}: {last[-1].message}"
            )
        if self.time_budget is not None and self.elapsed >= self.time_budget:
            return f"the time budget of {self.time_budget:,.0f} s is used up"
        return None

    def _complete(self) -> str | None:
        """Why no new trial may start."""
        if self.max_trials is not None and len(self.history.trials) >= self.max_trials:
            return f"the limit of {counted(self.max_trials, 'trial')} is reached"
        return self._exhausted
