"""What a search shows while it runs: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import fmean
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kerasnas.tuners import Search
from kerasnas.tuners.runners.base import Event, Failed, Finished, Progress, Started

_LAST = 5


@dataclass
class _Busy:
    id: str
    since: float
    step: int = 0


class Display:
    """Shows a search; call it with every event of the loop."""

    def __init__(self, console: Console, search: Search, trials: int, slots: int) -> None:
        self._console = console
        self._search = search
        self._trials = trials
        self._slots = slots
        self._metric = search.objectives[0].name
        self._busy: dict[int, _Busy] = {}
        self._lines: list[str] = []
        self._seconds: list[float] = []
        self._live = Live(
            get_renderable=self._panel, console=console, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        if self._search.resumed:
            done = sum(trial.status in ("completed", "failed") for trial in self._search.trials)
            self._console.print(f"Going on: {done} of {self._trials} trials are done.")
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
                self._busy[event.slot].step = event.step
            case Finished() | Failed():
                self._busy.pop(event.slot, None)
                if isinstance(event, Finished):
                    self._seconds.append(event.seconds)
                self._say(self._line(event))

    def _line(self, event: Finished | Failed) -> str:
        number = int(event.id)
        if isinstance(event, Failed):
            return f"trial {number} failed: {event.message}"
        trial = self._search.trial(event.id)
        if trial.message is not None:  # it ended, but without the figures that were asked for
            return f"trial {number} failed: {trial.message}"
        scores = ", ".join(
            f"{objective.name} {_figure(trial.metrics[objective.name])}"
            for objective in self._search.objectives
            if objective.name in trial.metrics
        )
        size = "" if trial.cost is None else f", {trial.cost / 1000:.0f} kB"
        text = f"trial {number}: {scores}{size}, {event.seconds:.0f} s"
        return text if self._console.is_terminal else f"{text}; {self._state()}"

    def _say(self, line: str) -> None:
        if self._console.is_terminal:
            self._lines = [*self._lines, line][-_LAST:]
        else:
            self._console.print(line, markup=False)

    def _state(self) -> str:
        trials = self._search.trials
        done = sum(trial.status in ("completed", "failed") for trial in trials)
        failed = sum(trial.status == "failed" for trial in trials)
        best = self._search.best()
        proposed = self._search.rejected + len(trials)
        parts = [f"{done} of {self._trials} done"]
        if best is not None:
            parts.append(f"best {self._metric} {_figure(best.metrics[self._metric])}")
            if len(self._search.objectives) > 1:
                parts.append(f"{len(self._search.pareto_front())} on the front")
        if failed:
            parts.append(f"{failed} failed")
        if self._search.rejected:
            share = self._search.rejected / proposed
            parts.append(f"{share:.0%} of candidates outside the window")
        if self._seconds and done < self._trials:
            left = fmean(self._seconds) * (self._trials - done) / self._slots
            parts.append(f"{_duration(left)} left")
        return ", ".join(parts)

    def _panel(self) -> RenderableType:
        done = sum(trial.status in ("completed", "failed") for trial in self._search.trials)
        workers = Table.grid(padding=(0, 2))
        for slot in range(self._slots):
            busy = self._busy.get(slot)
            what = "starting" if busy is None else f"trial {int(busy.id)}"
            since = "" if busy is None else _duration(time.monotonic() - busy.since)
            step = f"epoch {busy.step}" if busy and busy.step else ""
            workers.add_row(f"worker {slot + 1}", what, step, since)
        return Group(
            *(Text(line, style="dim") for line in self._lines),
            ProgressBar(total=self._trials, completed=done, width=60),
            Text(self._state()),
            workers,
        )


def _figure(value: float | None) -> str:
    """A score, or a cost, which is a whole number."""
    assert value is not None  # objectives of completed trials are finite
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
