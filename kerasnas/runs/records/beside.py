"""What lies beside exported files: what they were made of, and what an app needs to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kerasnas.runs.record import Record
from kerasnas.runs.records.export import EXPORT_COMMAND
from kerasnas.runs.values import Json


@dataclass(frozen=True, eq=False)
class MadeFrom(Record):
    """`made_from.json`: everything that shapes the files of an export; written last, too.

    Attributes:
        model: SHA-256 of the model's file, as the others are of what they name.
        clips: Of the data set.
        train: Of the indices of the clips trained on.
        test: Of the indices of the clips tested on.
        seed: The experiment's.
        features: Settings of the front end.
        settings: Of the export, by the experiment.
        options: Settings that `kerasnas export` was given in the place of the experiment's.
        whole: Whether all files are there; False while they are written.
    """

    model: str
    clips: str
    train: str
    test: str
    seed: int
    features: Json
    settings: Json
    options: Json = field(default_factory=dict)
    whole: bool = True

    COMMAND: ClassVar[str] = EXPORT_COMMAND


@dataclass(frozen=True, eq=False)
class Thresholds(Record):
    """`thresholds.json`: from which score on each class counts as heard.

    Attributes:
        chosen_on: The clips that they were chosen on.
        thresholds: By class, in the order of the scores.
    """

    chosen_on: str
    thresholds: Mapping[str, float]

    COMMAND: ClassVar[str] = EXPORT_COMMAND

    def of_classes(self, classes: tuple[str, ...]) -> NDArray[np.float64] | None:
        """Return the thresholds, `(classes,)`; None where they are of other classes."""
        if tuple(self.thresholds) != classes:
            return None
        return np.array(list(self.thresholds.values()), np.float64)


@dataclass(frozen=True, eq=False)
class FrontEndDescription(Record):
    """`features.json`: how features are computed, for `predict` and for apps.

    Attributes:
        settings: Of the front end, from which it is made again.
        front_end: Every parameter; see `kerasnas.features.describe`.
        golden: A made-up sound and its features; see `kerasnas.features.golden`.
    """

    settings: Json
    front_end: Json
    golden: Json

    COMMAND: ClassVar[str] = EXPORT_COMMAND
