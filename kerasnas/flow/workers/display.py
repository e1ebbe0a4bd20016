"""What a search shows while it runs: lines for trials, and on a terminal a live panel below."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kerasnas.errors import counted
from kerasnas.tuners import Search, Trial
from kerasnas.tuners.core.ranking import pareto_front, ranking
from kerasnas.tuners.runners.base import Event, Failed, Finished, Progress, Started

_LINES = 200  # about so many lines tell of trials that succeeded, however many there are


@dataclass
class _Busy:
    id: str
    since: float
    doing: str = "building the network"


class Display:
    """Shows a search; call it with every event of the loop, after the search was told of it.

    Args:
        console: Where.
        search: The search.
        trials: How many there will be.
        slots: Number of workers.
        epochs: Of a trial; None where they are not known.
        outside: What rejected candidates lie outside of, in words.
    """

    def __init__(
        self,
        console: Console,
        search: Search,
        trials: int,
        slots: int,
        epochs: int | None = None,
        outside: str = "the window",
    ) -> None:
        self._console = console
        self._search = search
        self._trials = trials
        self._slots = slots
        self._epochs = epochs
        self._outside = outside
        self._metric = search.objectives[0].name
        self._busy: dict[int, _Busy] = {}
        # What has ended is added up: to go through thousands of trials takes longer than some run.
        ended = [search.trial(id) for id in search.history.ended]
        self._done = len(ended)
        self._failed = sum(trial.status == "failed" for trial in ended)
        self._seconds = sum(trial.seconds or 0.0 for trial in ended)
        self._best = search.best()
        self._front = search.pareto_front()
        self._live = Live(
            get_renderable=self.panel, console=console, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        if self._search.resumed:
            self._console.print(f"Resuming: {self._done} of {counted(self._trials, 'trial')} done.")
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take one event of the loop into account."""
        match event:
            case Started():
                self._busy[event.slot] = _Busy(event.id, time.monotonic())
            case Progress():
                self._busy[event.slot].doing = epoch_in_words(event, self._epochs)
            case Finished() | Failed():
                self._busy.pop(event.slot, None)
                trial = self._search.trial(event.id)
                if trial.status == "waiting":
                    reason = event.message if isinstance(event, Failed) else trial.message
                    self._say(f"trial {trial.number} will be run again: {reason}")
                else:
                    self._count(trial)
                    every = max(1, self._trials // _LINES)
                    if trial.status == "failed" or self._done % every == 0:
                        self._say(self._line(trial, event.seconds))

    def _count(self, trial: Trial) -> None:
        self._done += 1
        self._seconds += trial.seconds or 0.0
        if trial.status == "failed":
            self._failed += 1
            return
        objectives = self._search.objectives
        self._front = pareto_front([*self._front, trial], objectives)
        best = [trial] if self._best is None else [self._best, trial]
        self._best = ranking(best, objectives)[0]

    def _line(self, trial: Trial, seconds: float) -> str:
        if trial.status == "failed":
            text = f"trial {trial.number} failed: {trial.message}"
        else:
            parts = [
                f"{name} {_figure(trial.metrics[name])}" for name, _ in self._search.objectives
            ]
            if trial.cost is not None:
                parts.append(f"{trial.cost / 1000:.0f} kB")
            if "stopped_at" in trial.info:
                parts.append(f"stopped early at epoch {trial.info['stopped_at']}")
            text = f"trial {trial.number}: {', '.join([*parts, f'{seconds:.0f} s'])}"
        return text if self._console.is_terminal else f"{text}; {self.state()}"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)  # on a terminal above the panel, where it stays

    def state(self, width: int | None = None) -> str:
        """Return how the search stands, without some details where not all fit the width."""
        rejected = self._search.rejected
        parts = [f"{self._done} of {self._trials} done"]
        if self._best is not None:
            parts.append(f"best {self._metric} {_figure(self._best.metrics[self._metric])}")
            if len(self._search.objectives) > 1:
                parts.append(f"{len(self._front)} on the front")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if rejected:
            share = rejected / (rejected + len(self._search.history.trials))
            parts.append(f"{counted(rejected, 'candidate')} outside {self._outside} ({share:.0%})")
        if (left := self._left()) is not None:
            parts.append(f"{_duration(left)} left")
        while width is not None and len(parts) > 2 and len(", ".join(parts)) > width:
            del parts[-2]  # the time that is left stays
        return ", ".join(parts)

    def _left(self) -> float | None:
        """Seconds until the search ends, if trials take as long as those that have ended."""
        if not self._done or self._done >= self._trials:
            return None
        left = self._seconds / self._done * (self._trials - self._done) / self._slots
        budget = self._search.time_budget
        return left if budget is None else min(left, max(0.0, budget - self._search.elapsed))

    def panel(self) -> RenderableType:
        """Return what a terminal shows: progress, how the search stands, and what workers do."""
        workers = Table.grid(padding=(0, 2))
        starting = len(self._search.history.running) - len(self._busy)
        for slot in range(self._slots):
            if busy := self._busy.get(slot):
                row = f"trial {int(busy.id)}", busy.doing, _duration(time.monotonic() - busy.since)
            else:
                row = "starting (loading features)" if starting > 0 else "idle", "", ""
                starting -= 1
            workers.add_row(f"worker {slot + 1}", *row)
        return Group(
            ProgressBar(total=self._trials, completed=self._done, width=60),
            Text(self.state(self._console.width)),
            workers,
        )


def epoch_in_words(event: Progress, epochs: int | None) -> str:
    """Return how far a training is: `epoch 4 of 5, loss 0.431`.

    Args:
        event: What the training reported.
        epochs: That it has; None where they are not known.
    """
    of = "" if epochs is None else f" of {epochs}"
    loss = event.metrics.get("loss")
    return f"epoch {event.step}{of}" + ("" if loss is None else f", loss {loss:.3f}")


def _figure(value: float | None) -> str:
    """Return a score, or a cost, which is a whole number."""
    assert value is not None  # objectives of completed trials are finite
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
