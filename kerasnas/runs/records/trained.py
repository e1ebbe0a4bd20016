"""What `kerasnas train` scores over folds and seeds, and together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kerasnas.runs.record import Entry, Record
from kerasnas.runs.records.review import FindingEntry
from kerasnas.runs.values import Column, Figure, Figures

OPTIMISTIC = (
    "The network, and the recipe where several were tried, were chosen on clips of all these "
    "folds: figures over folds are optimistic. Those on the experiment's own test clips are not"
)
"""What to say of folds that a search has not kept apart, without a full stop."""


@dataclass(frozen=True, eq=False)
class FoldTraining(Entry):
    """One training.

    Attributes:
        fold: The fold that was tested on; None for the experiment's test clips.
        seed: Random seed of the training.
        count: Clips tested on.
        scores: Metrics by precision (`float32`, `float16`, `int8`), and `bytes` of a file.
        baseline: Metrics of a logistic regression on the same clips; empty where there is none.
        findings: What is wrong with the network and its files, serious findings first.
    """

    fold: str | None
    seed: int
    count: int
    scores: Mapping[str, Figures]
    baseline: Figures = field(default_factory=dict)
    findings: tuple[FindingEntry, ...] = ()

    @property
    def tested_on(self) -> str:
        """What it was tested on, in words."""
        return "test clips" if self.fold is None else f"fold {self.fold}"

    def score(self, precision: str, metric: str) -> float | None:
        """Return one metric of one precision; None where there is none."""
        return self.scores.get(precision, {}).get(metric)


@dataclass(frozen=True, eq=False)
class FoldClasses(Entry):
    """Figures of a tagger's classes, means over folds.

    Attributes:
        classes: Their names.
        positives: Positive clips of each.
        scores: By precision, and by name, `(classes,)`; NaN where a class has no value.
    """

    classes: tuple[str, ...]
    positives: tuple[int, ...]
    scores: Mapping[str, Mapping[str, Column]]

    def __post_init__(self) -> None:
        columns = [column for scores in self.scores.values() for column in scores.values()]
        if any(len(each) != len(self.classes) for each in (self.positives, *columns)):
            raise ValueError(f"some figures are not {len(self.classes)}, one for each class")


@dataclass(frozen=True, eq=False)
class Folds(Record):
    """`folds.json`: all trainings of one network; each seed has the same folds.

    Attributes:
        architecture: Label of the network.
        metric: The score that `mean` and `deviation` are of.
        trainings: In the order of seeds and folds.
        mean: Over folds and seeds, by precision.
        deviation: Standard deviation over seeds, by precision; None for a single seed.
        by_class: Of a tagger; None for one label per clip.
        baseline: Mean of the baseline over folds; None where there is none.
    """

    architecture: str
    metric: str
    trainings: tuple[FoldTraining, ...]
    mean: Figures
    deviation: Figures
    by_class: FoldClasses | None
    baseline: Figure = None

    COMMAND: ClassVar[str] = "`kerasnas train`"

    def serious(self) -> dict[str, list[str]]:
        """Return what is seriously wrong with networks, and what these were tested on."""
        where: dict[str, list[str]] = {}
        for training in self.trainings:
            for finding in training.findings:
                if finding.serious:
                    place = f"{training.tested_on}, seed {training.seed}"
                    where.setdefault(finding.sentence, []).append(place)
        return where


@dataclass(frozen=True, eq=False)
class Ensemble(Record):
    """`ensemble.json`: an ensemble and its members on the test clips.

    Attributes:
        architecture: Label of the network.
        metrics: Of the mean answer.
        members: Metrics of each, by the fold that it was not trained on.
        models: SHA-256 of each member's file, by the same folds.
    """

    architecture: str
    metrics: Figures
    members: Mapping[str, Figures]
    models: Mapping[str, str]

    COMMAND: ClassVar[str] = "`kerasnas train --ensemble`"
