"""What a network is held against, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kerasnas.runs.record import Entry, Record
from kerasnas.runs.records.training import Evaluation
from kerasnas.runs.values import Column, Figure, Figures

WHOLE = "float32"
"""The trained network, among the precisions of `Findings`."""


@dataclass(frozen=True, eq=False)
class BaselineScores(Entry):
    """What the baselines score on one part of the split.

    Attributes:
        frequencies: Share of the clips fitted to that have each class, `(classes,)`: the majority
            baseline answers every clip with them.
        majority: Metrics of that baseline.
        chance: Metrics to expect of answers drawn evenly.
        regression: What a logistic regression on summary statistics of the features answers.
    """

    frequencies: Column
    majority: Figures
    chance: Figures
    regression: Evaluation


@dataclass(frozen=True, eq=False)
class SuspectEntry(Entry):
    """A training clip whose labels are suspected to be wrong; most suspects are merely unusual.

    Attributes:
        id: Name of the clip.
        given: Its labels.
        suggested: The labels that the baseline speaks for.
        margin: How much more probable these are, above 0 to 1.
    """

    id: str
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    margin: float


@dataclass(frozen=True, eq=False)
class Baselines(Record):
    """`baselines.json`: what needs no network, on the same split and features.

    Attributes:
        made_from: Digest of clips, parts, features and settings that the figures depend on.
        skipped: Why nothing was measured; None where it was.
        strength: Inverse strength of the regression's penalty.
        parts: Scores by part of the split, `validation` and `test`.
        suspects: Training clips to listen to, the most suspect first.
        suspected: Number of suspects in all, listed or not.
    """

    made_from: str
    skipped: str | None
    strength: Figure
    parts: Mapping[str, BaselineScores]
    suspects: tuple[SuspectEntry, ...]
    suspected: int


@dataclass(frozen=True, eq=False)
class FindingEntry(Entry):
    """One thing that is wrong with a network; see `kerasnas.training.review.findings.Finding`."""

    kind: str
    serious: bool
    sentence: str


@dataclass(frozen=True, eq=False)
class Findings(Record):
    """`findings.json`: what is wrong with the chosen network and its files on test clips.

    Attributes:
        precisions: Findings by precision, `float32` (the trained network) and those of the files,
            serious ones first.
    """

    precisions: Mapping[str, tuple[FindingEntry, ...]]

    @property
    def serious(self) -> bool:
        """Whether the network or one of its files should not be called good."""
        return any(each.serious for found in self.precisions.values() for each in found)

    def told(self) -> list[FindingEntry]:
        """Return all findings, serious ones first, each kind once.

        A file's finding is left out where the trained network has the same; what remains names its
        file.
        """
        told = list(self._named())
        return sorted(told, key=lambda finding: not finding.serious)

    def _named(self) -> Iterator[FindingEntry]:
        known: set[tuple[str, bool]] = set()
        for precision in sorted(self.precisions, key=lambda name: name != WHOLE):
            for each in self.precisions[precision]:
                if (each.kind, each.serious) in known or (each.kind, True) in known:
                    continue
                known.add((each.kind, each.serious))
                file = "" if precision == WHOLE else f"{precision} file: "
                yield FindingEntry(each.kind, each.serious, f"{file}{each.sentence}")
