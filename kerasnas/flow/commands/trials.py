"""`kerasnas trials`: the trials of a run directory, one of them, or a damaged journal repaired."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.tables import UNLIMITED, figures_table
from kerasnas.flow.task.opening import read_experiment
from kerasnas.paths import StrPath
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.trials import Trial, Trials, cost_of
from kerasnas.tuners import repair
from kerasnas.words import words

_REASON, _TRACEBACK = "why it failed", "traceback"

Plain = bool | int | float | str | None
"""A value of a table."""


def print_table(run: StrPath, console: Console) -> None:
    """Print the trials of a run directory, unfolded where no terminal shows them.

    Args:
        run: The run directory.
        console: Where to.

    Raises:
        KerasnasError: As from `table`.
    """
    if console.is_terminal:
        console.print(table(run, console.width))
    else:  # a file, or a program
        wide = Console(file=console.file, highlight=False, width=UNLIMITED, quiet=console.quiet)
        wide.print(table(run))


def table(run: StrPath, width: int = UNLIMITED) -> RenderableType:
    """Return the trials of a run directory for the screen, from the search's journal.

    Args:
        run: The run directory.
        width: Columns of the screen; see `figures_table`.

    Raises:
        KerasnasError: It is no run directory, or holds no search, or a damaged one.
    """
    run = Path(run)
    read_experiment(run)
    trials = Trials.read(run)
    metrics = list(dict.fromkeys(name for trial in trials.all for name in trial.metrics))
    names = ["trial", "status", *metrics, "bytes", "seconds", "values, and why it failed"]
    rows = [
        [
            f"{'*' if trial.number in trials.front else ''}{trial.number}",
            trial.status,
            *(_shown(name, trial.metrics.get(name)) for name in metrics),
            "" if trial.cost is None else f"{trial.cost:,.0f}",
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            _values(trial),
        ]
        for trial in trials.all
    ]
    return figures_table(
        [words(name) for name in names],
        rows,
        width,
        title=str(run),
        caption="*: no trial dominates it",
        text_last=True,
    )


def _values(trial: Trial) -> str:
    """Return a trial's values, and the reason why it failed, as a cell of the table."""
    values = " ".join(f"{name}={value}" for name, value in trial.values.items())
    return f"{values}\n{trial.message}" if trial.message else values


def trial_rows(trials: Trials) -> list[dict[str, Plain]]:
    """Return a row for each trial, all of the same columns; None where a trial has no value.

    Columns are `trial`, `status`, scores and costs by their names, `bytes` by the window's rule,
    `seconds`, `front` (whether no trial dominates it), `error`, and the genes.
    """
    metrics = dict.fromkeys(name for trial in trials.all for name in trial.metrics)
    costs = [name for name in measures.COSTS if name not in metrics]
    genes = dict.fromkeys(name for trial in trials.all for name in trial.values)
    return [
        {
            **{name: trial.values.get(name) for name in genes},
            "trial": trial.number,
            "status": trial.status,
            **{name: trial.metrics.get(name) for name in metrics},
            **{name: cost_of(trial, name) for name in costs},
            "bytes": trial.cost,
            "seconds": trial.seconds,
            "front": trial.number in trials.front,
            "error": trial.message,
        }
        for trial in trials.all
    ]


def all_rows(run: StrPath) -> list[dict[str, Plain]]:
    """Return `trial_rows` of a run directory; errors as from `table`."""
    read_experiment(Path(run))
    return trial_rows(Trials.read(Path(run)))


def details(run: StrPath, number: int) -> dict[str, Any]:
    """Return all that the journal of a run directory holds of one trial, by name.

    Raises:
        KerasnasError: It is no run directory, or has no such trial, or a damaged search.
    """
    run = Path(run)
    read_experiment(run)
    trials = Trials.read(run)
    trial = trials.numbered(number)
    if trial is None:
        raise KerasnasError(f"{run} has no trial {number}: there are {len(trials.all)}, from 0")
    described = {
        "trial": trial.number,
        "status": trial.status,
        **trial.values,
        "bytes": trial.cost,
        **trial.metrics,
        **{name: value for name, value in trial.info.items() if name not in trial.metrics},
        _REASON: trial.message,
        _TRACEBACK: trial.traceback,
    }
    return {name: value for name, value in described.items() if value is not None}


def in_words(details: Mapping[str, Any]) -> str:
    """Return the details of a trial, a line each, with the traceback of a failure."""
    lines = [f"{name}: {value}" for name, value in details.items() if name != _TRACEBACK]
    return "\n".join([*lines, *([details[_TRACEBACK].rstrip()] if _TRACEBACK in details else [])])


def repair_journal(run: StrPath) -> str:
    """Cut the damaged journal of a run directory before its first bad line, and keep a copy.

    Returns:
        What was kept, what was dropped, and where the journal lies as it was.

    Raises:
        KerasnasError: It is no run directory.
        JournalError: Nothing can be kept, or another process works in the run.
    """
    run = Path(run)
    read_experiment(run)
    path = RunPaths(run).journal
    return f"{path}: {repair(path)}"


def _shown(name: str, value: float | None) -> str:
    """Return a metric as the table has it; empty where there is none or it was not finite."""
    if value is None:
        return ""
    return f"{value:,.0f}" if name in measures.COSTS else f"{value:.4f}"
