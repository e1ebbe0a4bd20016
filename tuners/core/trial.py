"""One trial of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .genes import Value

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
    """Return the id of the trial with this number."""
    return f"{number:04d}"
