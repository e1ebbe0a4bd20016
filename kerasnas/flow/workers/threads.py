"""How many threads a training computes with: decided once, so that a resumed run repeats itself.

Threads add floats in an order of their own, so that a training with another number of them scores
differently in the fourth digit.
"""

from __future__ import annotations

from pathlib import Path

from kerasnas.errors import KerasnasError
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Threads


def fix_threads(run: Path, group: str, asked: int | None, default: int) -> int:
    """Return the threads of each training of a group, which the group's first start decides.

    Args:
        run: The run directory, whose `threads.json` keeps the number of every group.
        group: Trainings that must stay comparable: `trials`, `winners`, `train/model_a`, ...
        asked: `search.threads`.
        default: Threads where nothing is asked for and the group has not been started.

    Raises:
        KerasnasError: Another number is asked for than the group was started with, or the file is
            damaged.
    """
    path = RunPaths(run).threads
    known = dict(Threads.read(path).threads) if path.exists() else {}
    if group not in known:
        known[group] = asked or default
        Threads(known).write(path)
    threads = known[group]
    if asked not in (None, threads):
        raise KerasnasError(
            f"search.threads is {asked}, and {run} began its {group} with {threads} threads each: "
            f"scores with another number differ in the fourth digit. Give {threads} or null, or "
            "another --run"
        )
    return threads


def take_over_threads(run: Path, other: Path) -> None:
    """Let the trainings of a run that has not begun compute with as many threads as another's."""
    theirs, ours = RunPaths(other).threads, RunPaths(run).threads
    if theirs.exists() and not ours.exists():
        Threads.read(theirs).write(ours)
