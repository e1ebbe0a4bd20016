"""Events: what sounds from when to when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """A sound in a recording.

    Attributes:
        label: Name of its class.
        start: Where it begins, seconds from the start of the recording.
        stop: Where it ends.
    """

    label: str
    start: float
    stop: float


@dataclass(frozen=True)
class Detection(Event):
    """An event that decisions over time have found.

    Attributes:
        stop: Where it ends; while it lasts, where it has come to.
        score: The highest smoothed score so far, 0 to 1.
        decided: When it was known, seconds from the start of the recording: the end of the window
            whose score decided.
        lasts: Whether it has not ended yet.
    """

    score: float
    decided: float
    lasts: bool = False
