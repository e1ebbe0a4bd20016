"""What a training leaves: its network's description, its epochs, and what it scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kerasnas.runs.record import Record
from kerasnas.runs.values import Column, Counts, Figures, Json, Matrix

_COMMAND = "the command that made it"


@dataclass(frozen=True, eq=False)
class Description(Record):
    """`architecture.json`: a network that is trained with the final recipe, and how.

    Attributes:
        architecture: See `kerasnas.blocks.architecture.Architecture`.
        recipe: See `kerasnas.training.recipe.Recipe`.
        settings: What the search has tuned, by dotted field.
        seed: Random seed of the training; None of a winner, which has the experiment's.
        fold: The fold that is tested on, or, of a member of an ensemble, left out; None for the
            experiment's test clips.
        scored_on: See `kerasnas.flow.task.task.Task.final_parts`.
        trial: Number of the trial that found the network.
        values: Of the trial's genes.
        cost: See `kerasnas.blocks.architecture.Cost`.
    """

    architecture: Json
    recipe: Json
    settings: Json = field(default_factory=dict)
    seed: int | None = None
    fold: str | None = None
    scored_on: Literal["validation", "test"] | None = None
    trial: int | None = None
    values: Json | None = None
    cost: Json | None = None

    COMMAND: ClassVar[str] = _COMMAND

    def trains_like(self, other: Description) -> bool:
        """Whether both describe one training; predicted costs may change with the converter."""
        ours, theirs = self.fields(), other.fields()
        return {**ours, "cost": None} == {**theirs, "cost": None}


@dataclass(frozen=True, eq=False)
class EpochTable(Record):
    """`history.json` of a network, `supernet.json` of a supernet: the epochs of a training.

    Attributes:
        epochs: Metrics of each by name, `epoch` (from 1) among them; `val_...` are those of the
            validation clips.
    """

    epochs: tuple[Figures, ...]

    COMMAND: ClassVar[str] = _COMMAND


@dataclass(frozen=True, eq=False)
class FineTuned(Record):
    """`fine_tuning.json`: what gentle training did to a network that begins with a trunk.

    Attributes:
        layers: What was trained: `head`, `last` or `all`.
        count: Clips that judged.
        before: Their metrics by name, without it.
        after: With it.
        kept: Whether the network has it.
    """

    layers: Literal["head", "last", "all"]
    count: int
    before: Figures
    after: Figures
    kept: bool

    COMMAND: ClassVar[str] = _COMMAND


@dataclass(frozen=True, eq=False)
class Evaluation(Record):
    """`evaluation.json`: a network's answers on clips, and what they are worth.

    Attributes:
        clips: Which part of the split these are.
        classes: Names, in the order of the scores.
        metrics: By name; see `kerasnas.training.scoring.metrics.ClipScores`.
        confusion: Clips by true (rows) and answered (columns) class, `(classes, classes)`; None
            where clips carry several labels.
        by_class: Where clips carry several labels, figures by name, `(classes,)` each, NaN where a
            class has none; else None.
        channel_f1: Where channels are examples, of every class the mean over channels of its F1,
            `(classes,)`; else None.
        count: Number of clips.
        predictions: Scores, `(clips, classes)`.
        labels: Zeros and ones, `(clips, classes)`.
        ids: Names of the clips, `(clips,)`.

    Raises:
        ValueError: Something has another shape.
    """

    clips: str
    classes: tuple[str, ...]
    metrics: Figures
    confusion: Counts | None
    by_class: Mapping[str, Column] | None
    channel_f1: Column | None
    count: int
    predictions: Matrix
    labels: Counts
    ids: tuple[str, ...]

    COMMAND: ClassVar[str] = _COMMAND

    def __post_init__(self) -> None:
        classes, rows = len(self.classes), (self.count, len(self.classes))
        shapes = {
            "predictions": (self.predictions.shape, rows),
            "labels": (self.labels.shape, rows),
            "ids": ((len(self.ids),), (self.count,)),
        }
        if self.confusion is not None:
            shapes["confusion"] = (self.confusion.shape, (classes, classes))
        if self.channel_f1 is not None:
            shapes["channel_f1"] = (self.channel_f1.shape, (classes,))
        for name, column in (self.by_class or {}).items():
            shapes[f"by_class.{name}"] = (column.shape, (classes,))
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise ValueError(f"field {name} is of shape {found}, not {expected}")

    @property
    def known_metrics(self) -> dict[str, float]:
        """Those metrics that have a value."""
        return {name: value for name, value in self.metrics.items() if value is not None}
