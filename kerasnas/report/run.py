"""The files of a run directory, read for its report."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.files import read_json
from kerasnas.measures import COSTS, direction

_SCHEMA = 1
_COUNTED = ("bytes", "parameters", "macs", "int8_bytes", "float16_bytes", "seconds")


class MissingError(Exception):
    """A part that the run does not hold, or holds damaged; the message is what the page says."""


@dataclass(frozen=True)
class Trial:
    """One row of `trials.csv`; figures that it leaves empty are None.

    Attributes:
        number: From 0, in the order of suggestion.
        status: `completed`, `failed`, or that of a trial which has not ended.
        objectives: What candidates are compared by, on validation clips.
        test: The first objective, on held-out clips.
        bytes: By the window's rule; `int8_bytes` and `float16_bytes` are those of the files.
        macs: Multiply-accumulates for one example.
        error: Why it failed.
        values: Of each gene, as written; empty where the gene is not active.
        front: Whether no other trial dominates it.
        costs: All costs of the architecture, by name.
    """

    number: int
    status: str
    objectives: Mapping[str, float | None]
    test: float | None
    bytes: float | None
    parameters: float | None
    macs: float | None
    int8_bytes: float | None
    float16_bytes: float | None
    seconds: float | None
    error: str
    values: Mapping[str, str]
    front: bool = False
    costs: Mapping[str, float | None] = field(default_factory=dict)

    def value(self, objective: str) -> float | None:
        """An objective, be it a score or a cost."""
        return self.objectives.get(objective, self.costs.get(objective))

    def score(self, objective: str) -> float:
        """An objective of a completed trial, for ranking: greater is better, unknown is worst."""
        value = self.objectives.get(objective)
        if value is None:
            return -float("inf")
        return -value if direction(objective) == "min" else value


@dataclass(frozen=True)
class Winner:
    """A trial that was trained again, in `directory`, being the best by one or two `rules`."""

    trial: int
    rules: tuple[str, ...]
    chosen: bool
    directory: Path


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on clips.

    Attributes:
        metrics: By name.
        confusion: `(classes, classes)`, rows are the truth; None where clips carry several labels.
        predictions: `(clips, classes)` scores.
        labels: `(clips, classes)` of 0 and 1.
        by_class: Where clips carry several labels, by name a value for each class, None where it
            has none; None where they do not.
    """

    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    confusion: NDArray[np.int64] | None
    count: int
    predictions: NDArray[np.float64]
    labels: NDArray[np.float64]
    by_class: Mapping[str, list[float | None]] | None = None


@dataclass(frozen=True)
class Run:
    """What every section needs; the sections read the rest themselves.

    Attributes:
        path: The run directory.
        experiment: Its resolved experiment, as a mapping and as written.
        trials: In the order of suggestion.
        objectives: Names of what candidates are compared by, the most important first.
    """

    path: Path
    experiment: Mapping[str, Any]
    experiment_text: str
    trials: tuple[Trial, ...]
    objectives: tuple[str, ...]

    @property
    def completed(self) -> tuple[Trial, ...]:
        """Trials that were scored, best first."""
        done = [trial for trial in self.trials if trial.status == "completed"]
        return tuple(sorted(done, key=lambda trial: trial.score(self.objectives[0]), reverse=True))

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the decisions, in the experiment's order."""
        return tuple(self.trials[0].values) if self.trials else ()

    @property
    def inherits(self) -> bool:
        """Whether candidates were scored with a supernet's weights, and not trained themselves."""
        return (self.experiment.get("search") or {}).get("supernet") is not None


def read(path: Path) -> Run:
    """Read what every section needs.

    Raises:
        KerasnasError: `path` is no run directory.
    """
    try:
        text = (path / "experiment.yaml").read_text(encoding="utf-8")
        experiment = yaml.safe_load(text)
    except FileNotFoundError:
        raise KerasnasError(f"{path} is no run directory: it has no experiment.yaml") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KerasnasError(f"{path / 'experiment.yaml'} cannot be read: {error}") from None
    if not isinstance(experiment, dict):
        raise KerasnasError(f"{path / 'experiment.yaml'} holds no fields, so it is no experiment")
    objectives, trials = _read_trials(path / "trials.csv")
    return Run(path, experiment, text, trials, objectives)


def part(run: Run, name: str, absence: str) -> dict[str, Any]:
    """The content of one of the run's JSON files.

    Raises:
        MissingError: With `absence` when there is no such file, else saying what is wrong with it.
    """
    path = run.path / name
    if not path.is_file():
        raise MissingError(absence)
    try:
        data = read_json(path)
    except KerasnasError as error:
        raise MissingError(str(error)) from None
    if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
        raise MissingError(f"{name} is not of schema {_SCHEMA}, the only one known here.")
    return data


@contextmanager
def understanding(name: str) -> Iterator[None]:
    """Turn the errors of taking a file's content apart into `MissingError`, naming the file."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise MissingError(f"{name} does not hold what it should ({reason}).") from None


def winners(run: Run) -> tuple[Winner, ...]:
    """The trials that were trained again, the chosen one first.

    Raises:
        MissingError: The search has not come so far.
    """
    data = part(run, "winners.json", "No winner has been trained yet.")
    with understanding("winners.json"):
        rules: dict[tuple[int, str], list[str]] = {}
        for rule, entry in data.items():
            if isinstance(entry, dict):
                rules.setdefault((int(entry["trial"]), str(entry["directory"])), []).append(rule)
        found = [
            Winner(trial, tuple(names), data["chosen"] in names, run.path / directory)
            for (trial, directory), names in rules.items()
        ]
    return tuple(sorted(found, key=lambda winner: not winner.chosen))


def chosen(run: Run) -> Winner:
    """The winner that is exported.

    Raises:
        MissingError: The search has not come so far.
    """
    first = winners(run)[0]
    if not first.chosen:
        raise MissingError("winners.json does not say which winner was chosen.")
    return first


def evaluation(run: Run, name: str) -> Evaluation:
    """A model's answers on the held-out clips.

    Raises:
        MissingError: There is no such file.
    """
    data = part(run, name, f"There is no {name}.")
    with understanding(name):
        confusion = data.get("confusion")
        result = Evaluation(
            tuple(str(name) for name in data["classes"]),
            {k: float(v) for k, v in data["metrics"].items() if v is not None},
            None if confusion is None else np.asarray(confusion, dtype=np.int64),
            int(data["count"]),
            np.asarray(data["predictions"], dtype=np.float64),
            np.asarray(data["labels"], dtype=np.float64),
            data.get("by_class"),
        )
        shape = (result.count, len(result.classes))
        if result.predictions.shape != shape or result.labels.shape != shape:
            raise ValueError(f"predictions and labels were expected to be of shape {shape}")
    return result


def history(run: Run, directory: Path) -> list[dict[str, Any]]:
    """The epochs of a training, `[{"epoch": 1, "loss": ..., ...}, ...]`; none when not kept."""
    name = (directory / "history.json").relative_to(run.path).as_posix()
    try:
        data = part(run, name, "")
    except MissingError:
        return []
    with understanding(name):
        return [dict(epoch) for epoch in data["epochs"]]


def _read_trials(path: Path) -> tuple[tuple[str, ...], tuple[Trial, ...]]:
    if not path.is_file():
        return (), ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
        first, last = columns.index("status"), columns.index("bytes")
        genes = columns[columns.index("error") + 1 :]
        scores = columns[first + 1 : last]
        objectives = tuple(name for name in scores if not name.startswith("test_"))
        return objectives, tuple(_trial(row, objectives, genes) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise KerasnasError(f"{path} is not as a search writes it: {error}") from None


def _trial(row: Mapping[str, str], objectives: tuple[str, ...], genes: list[str]) -> Trial:
    counted = {name: _number(row[name]) for name in _COUNTED}
    return Trial(
        number=int(row["trial"]),
        status=row["status"],
        objectives={name: _number(row[name]) for name in objectives},
        test=_number(row.get(f"test_{objectives[0]}", "")),
        error=row["error"],
        front=row.get("front") == "yes",
        costs={name: _number(row.get(name) or "") for name in COSTS},
        values={name: row[name] for name in genes},
        **counted,
    )


def _number(text: str) -> float | None:
    if text == "":
        return None
    number = float(text)
    return number if isfinite(number) else None
