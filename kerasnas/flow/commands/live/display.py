"""What is heard, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
from rich.console import Console

from kerasnas.decisions import Detection
from kerasnas.flow.commands.live.listen import Heard, Listener
from kerasnas.flow.commands.live.sources import Block


def print_heard(
    listener: Listener, source: Iterable[Block], console: Console, top: int, every: float
) -> dict[str, float]:
    """Print scores now and then, and every event, until the sound ends or Ctrl-C.

    Args:
        listener: What hears.
        source: The sound.
        console: Where lines are printed.
        top: Number of classes in a line of scores.
        every: Seconds of sound between two lines of scores; 0 for all.

    Returns:
        What was heard in all: seconds, rows of scores, events, the longest latency in seconds, and
        the load as a share of real time.

    Raises:
        KerasnasError: The sound ends in an error; what was heard is summed up first.
    """
    summary = _Summary()
    shown = -np.inf

    def show(heard: Heard) -> None:
        nonlocal shown
        summary.add(heard)
        for event in heard.events:
            console.print(_event_line(event), markup=False)
        if heard.lost:
            console.print(f"{heard.stop:8.2f} s  sound was lost", markup=False)
        if len(heard.scores) and heard.stop - shown >= every - 1e-6:
            shown = heard.stop
            console.print(_score_line(heard, listener.classes, top), markup=False)

    try:
        # Ctrl-C is how listening to a microphone ends.
        with suppress(KeyboardInterrupt):
            for heard in listener.listen(source):
                show(heard)
        for heard in listener.finish():
            show(heard)
    finally:
        console.print(summary.line(), markup=False)
    return summary.figures()


def _event_line(event: Detection) -> str:
    if event.lasts:
        late = f"known {event.decided - event.start:.2f} s later"
        return f"{event.start:8.2f} s  {event.label} begins ({event.score:.2f}), {late}"
    return f"{event.stop:8.2f} s  {event.label} ends after {event.stop - event.start:.2f} s"


def _score_line(heard: Heard, classes: tuple[str, ...], top: int) -> str:
    best = np.argsort(-heard.scores, kind="stable")[:top]
    scores = ", ".join(f"{classes[index]} {heard.scores[index]:.2f}" for index in best)
    return (
        f"{heard.stop:8.2f} s  {heard.level:6.1f} dB  {scores}  "
        f"(latency {1000 * heard.latency:.0f} ms, load {100 * heard.load:.0f} %)"
    )


class _Summary:
    """Counts of what was heard."""

    def __init__(self) -> None:
        self._seconds = self._load = self._latency = 0.0
        self._rows = self._events = 0

    def add(self, heard: Heard) -> None:
        """Count one row of scores."""
        self._seconds, self._load = heard.stop, heard.load
        self._latency = max(self._latency, heard.latency)
        self._rows += bool(len(heard.scores))
        self._events += sum(event.lasts for event in heard.events)

    def figures(self) -> dict[str, float]:
        """Return them by name."""
        return {
            "seconds": self._seconds,
            "rows": self._rows,
            "events": self._events,
            "latency": self._latency,
            "load": self._load,
        }

    def line(self) -> str:
        """Return them in words; what to do where the machine is too slow."""
        if not self._rows:
            return "Heard less than a clip: no scores."
        text = (
            f"Heard {self._seconds:.1f} s: {self._rows} rows of scores, {self._events} events, "
            f"latency at most {1000 * self._latency:.0f} ms, load {100 * self._load:.1f} % of real "
            "time."
        )
        if self._load > 1:
            text += " The machine is too slow for it: give a longer --hop, or a smaller file."
        return text
