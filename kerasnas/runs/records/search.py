"""How a search stands, and what is measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from kerasnas.runs.record import Entry, Record
from kerasnas.runs.values import Figure, Figures, Json


@dataclass(frozen=True, eq=False)
class SizeWindow(Entry):
    """Bytes that a candidate may have, counted by a rule."""

    rule: str
    minimum: float
    maximum: float


@dataclass(frozen=True, eq=False)
class SearchState(Record):
    """`search.json`: how a search stands; written again and again from its journal.

    Attributes:
        proposed: Candidates that the oracle has proposed.
        rejected: Those of them outside the window or `search.limits`.
        window: What candidates may cost.
        objectives: Names and directions, the most important first.
        front: Numbers of the trials that no other dominates.
        seconds: For which the search has run.
        headline_gene: The decision whose values the search space is best understood by, which the
            report compares first; None where the space names none.
    """

    proposed: int
    rejected: int
    window: SizeWindow
    objectives: tuple[tuple[str, Literal["min", "max"]], ...]
    front: tuple[int, ...]
    seconds: float
    headline_gene: str | None = None

    DURABLE: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class ControllerUpdate(Entry):
    """One update of a controller; see `kerasnas.tuners.Controller.curve`."""

    number: int
    trials: int
    reward: float
    baseline: float
    entropy: float
    exploration: float


@dataclass(frozen=True, eq=False)
class MostProbable(Entry):
    """What a controller finds most probable; see `kerasnas.tuners.Controller.most_probable`.

    Attributes:
        values: Of the trial's genes.
        probability: Under the controller's policy.
    """

    values: Json
    probability: float


@dataclass(frozen=True, eq=False)
class ControllerCurve(Record):
    """`controller.json`: what a controller learned; written again and again from the journal.

    Attributes:
        curve: Its updates.
        most_probable: Its own choice; None before the first update.
    """

    curve: tuple[ControllerUpdate, ...]
    most_probable: MostProbable | None = None

    COMMAND: ClassVar[str] = "`kerasnas search` with `oracle: controller`"

    DURABLE: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class Threads(Record):
    """`threads.json`: how trainings compute, fixed when the first of a group starts.

    Attributes:
        threads: Threads of each training, however many run at once, by the group's name.
    """

    threads: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class RankCorrelation(Entry):
    """Kendall's tau-b and the bounds of its 95 % interval; None where all values are tied."""

    tau: Figure
    low: Figure
    high: Figure


@dataclass(frozen=True, eq=False)
class RankedPath(Entry):
    """Scores of one candidate on the validation clips, by name.

    Attributes:
        trial: Its number.
        supernet: With the supernet's weights.
        stand_alone: Trained from scratch.
    """

    trial: int
    supernet: Figures
    stand_alone: Figures


@dataclass(frozen=True, eq=False)
class Agreement(Record):
    """`agreement.json`: whether a supernet ranks networks as they rank trained from scratch.

    Attributes:
        epochs: Of each training from scratch.
        kendall: Rank correlation by the name of the score.
        paths: The candidates.
    """

    epochs: int
    kendall: Mapping[str, RankCorrelation]
    paths: tuple[RankedPath, ...]


@dataclass(frozen=True, eq=False)
class Hypervolume(Record):
    """`hypervolume.json`: the share of the objectives' space that candidates dominate.

    Attributes:
        searches: By `search` and `random`: number of candidates and the volume by then.
    """

    searches: Mapping[str, tuple[tuple[int, float], ...]]
