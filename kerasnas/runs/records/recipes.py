"""Recipes that were tried before a search, and the one that it uses."""

from __future__ import annotations

from dataclasses import dataclass

from kerasnas.runs.record import Entry, Record
from kerasnas.runs.values import Figure, Figures, Json


@dataclass(frozen=True, eq=False)
class RecipeEntry(Entry):
    """A recipe that was tried.

    Attributes:
        name: `light`, or `light + balanced`.
        directory: Of its training, relative to the run.
        metrics: On the validation clips.
        loss: Mean of what `kerasnas.training.presets.clip_losses` gives; None without a training.
        difference: By how much its loss is above that of the best recipe.
        deviation: Standard error of the difference, clip by clip; 0 of the best recipe itself.
        seconds: That the training took; None where that is not known.
    """

    name: str
    directory: str
    metrics: Figures
    loss: Figure
    difference: Figure
    deviation: Figure
    seconds: Figure


@dataclass(frozen=True, eq=False)
class Recipes(Record):
    """`recipes.json`: the comparison, and what follows from it for candidates and winners.

    Attributes:
        made_from: Digest of the clips and settings that the comparison depends on.
        network: What was trained, in words.
        examples: Number of training examples.
        epochs: Of each training.
        final_epochs: Of a final training, which `epochs` are where the time allows.
        tried: From the mildest recipe on.
        chosen: Name of the mildest one that is not clearly worse than the best.
        recipe: Its `augmentation` and `sampling`, for candidates and winners.
    """

    made_from: str
    network: str
    examples: int
    epochs: int
    final_epochs: int
    tried: tuple[RecipeEntry, ...]
    chosen: str
    recipe: Json

    def __post_init__(self) -> None:
        names = [each.name for each in self.tried]
        if self.chosen not in names:
            raise ValueError(f"field chosen is {self.chosen!r}, and tried were {', '.join(names)}")
