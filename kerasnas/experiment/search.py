"""How an experiment searches and trains: the parts that only the whole flow knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kerasnas.blocks.architecture import SizeRule
from kerasnas.measures import COSTS
from kerasnas.training.callbacks import CallbackSettings
from kerasnas.training.recipe import Recipe
from kerasnas.tuners.settings import OracleSettings, RandomSettings

RecipeName = Literal["none", "light", "strong"]
_TRIED: tuple[RecipeName, ...] = ("none", "light", "strong")
Option = bool | int | float | str
_TRIED_FIELDS = tuple(
    f"training.candidate.{name}" for name in ("augmentation", "sampling", "class_weights")
)
_TUNABLE = ("training.candidate.", "features.")


LONGEST_NAME = 200
"""Bytes of a name that a directory is given; file systems take 255."""

_MOST_OPTIONS = 1_000
"""Values of all fields that are tuned: each is tried when an experiment is read."""


def _check_costs(field: str, limits: dict[str, int]) -> None:
    for name in limits:
        if name not in COSTS:
            raise ValueError(f"{field}: {name} is no cost; these are: {', '.join(COSTS)}")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowSettings(_Settings):
    """Sizes a candidate may have; others are never trained."""

    rule: SizeRule = Field("int8_file", description="how bytes are counted")
    minimum: int = Field(0, ge=0, description="bytes")
    maximum: int = Field(500_000, ge=1, description="bytes")

    @model_validator(mode="after")
    def _check(self) -> WindowSettings:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class WinnerRule(_Settings):
    """Which candidate of the Pareto front is trained with the final recipe."""

    rule: Literal["best", "knee"] = Field(
        "best",
        description="best: by one score; knee: farthest from the plane through the front's "
        "extremes, that is with the least sum of objectives, each scaled to 0..1 on the front",
    )
    by: str | None = Field(
        None, description="best: one of the objectives that is a score; null: the first"
    )
    limits: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {}, description="costs that it may have at most, by name"
    )
    where: dict[str, Option] = Field(
        {}, description="values of genes that it has, by name: the best of one kind of networks"
    )

    @model_validator(mode="after")
    def _check(self) -> WinnerRule:
        if self.rule == "knee" and self.by is not None:
            raise ValueError("by is for rule: best; a knee weighs all objectives alike")
        _check_costs("limits", self.limits)
        return self


class RankAgreement(_Settings):
    """Networks trained from scratch, to see whether the supernet ranks them as they rank."""

    paths: int = Field(12, ge=12, description="candidates, from as many strata of their scores")
    epochs: int | None = Field(
        None, ge=1, description="of training.final, by whose recipe they are trained; null: all"
    )

    def recipe(self, final: Recipe) -> Recipe:
        """By which they are trained: without early stopping, for which no clips are left.

        Raises:
            ValidationError: The final recipe cannot have so few epochs.
        """
        changed = {"patience": None} | ({} if self.epochs is None else {"epochs": self.epochs})
        return Recipe.model_validate({**final.model_dump(), **changed})


class SupernetSettings(_Settings):
    """Candidates inherit their weights from a supernet, which is trained first.

    It is trained by training.candidate on the training clips; model.space must be one of choices.
    """

    file: Path | None = Field(
        None,
        description="a supernet of this space that is trained already, on the same training clips "
        "and features; null: train one",
    )
    save_every: int = Field(50, ge=1, description="steps after which a training can be resumed")
    recalibration_clips: int = Field(
        0,
        ge=0,
        description="training clips from which a candidate's batch normalisation gets statistics "
        "of its own before it is scored; 0: those of all paths",
    )
    batch_size: int = Field(128, ge=1, description="examples scored at a time")
    agreement: RankAgreement | None = Field(
        None, description="also measure whether ranks agree with those of trained networks"
    )


class SearchSettings(_Settings):
    """How candidates are found, scored and chosen."""

    recipes: Literal["auto", "off"] | tuple[RecipeName, ...] = Field(
        "off",
        description="augmentations to try on the validation clips before the search, which then "
        "uses the best (none, light, strong; auto: all of them), and whether to draw classes of "
        "different sizes equally often; off: training.candidate and training.final as they are",
    )
    oracle: OracleSettings = Field(
        RandomSettings(), description="what proposes candidates; a bare name takes its defaults"
    )
    trials: int = Field(20, ge=1, description="candidates to train")
    window: WindowSettings = WindowSettings()
    objectives: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="scores on validation clips, and costs (parameters, macs, int8_bytes, "
        "float16_bytes, peak_activation_bytes, arena_bytes), that candidates are compared by, "
        "the most important first; null: accuracy, or mean_average_precision where clips carry "
        "several labels, and loss",
    )
    limits: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {},
        description="further costs that a candidate may have at most, by name; others are never "
        "scored",
    )
    winners: dict[
        Annotated[str, Field(pattern=r"^\w[\w-]*$", max_length=LONGEST_NAME // 4)], WinnerRule
    ] = Field(
        {},
        description="candidates that are trained with the final recipe, by a name of yours; none: "
        "the best by every objective that is a score",
    )
    choose: str | None = Field(
        None,
        description="the winner that is exported: an objective, or a name of winners; null: the "
        "first",
    )
    supernet: SupernetSettings | None = Field(
        None, description="score candidates by inherited weights; null: train every candidate"
    )
    folds: Literal["all"] | Annotated[int, Field(ge=2)] | tuple[str, ...] | None = Field(
        None,
        description="score a candidate by its mean over folds of the clips that are not tested "
        "on, each validating what was trained on the others: all folds of the data set, some by "
        "name, or so many that are made here; null: once, on the validation clips",
    )
    spread_folds: bool = Field(
        False,
        description="train the folds of a candidate side by side, each on a worker; false: one "
        "after another on one worker, with other candidates beside it",
    )
    architecture: str | dict[str, Option] | None = Field(
        None,
        description="keep the network fixed, and search only what tune lists: name of a reference, "
        "or values of all genes; null: search the space",
    )
    tune: dict[str, tuple[Option, ...]] = Field(
        {},
        description="further genes: fields below training.candidate or features, dotted, each with "
        "the values it may have; training.final takes over what is chosen for training.candidate",
    )
    enqueue: tuple[str | dict[str, Option] | tuple[int, ...], ...] = Field(
        (),
        description="tried before anything is proposed: names of references that are points of the "
        "space, values of all genes, or, in a space of choices, chromosomes as Li et al. print "
        "them: for every layer the number of its option, from 1",
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="trials side by side; null: one a core, or all a cluster has room for",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="computing threads of a worker; null: cores divided by workers, or 1 on a "
        "cluster",
    )
    gpus: float = Field(0, ge=0, description="on a cluster: GPUs of a worker, or a part of one")
    devices: tuple[str, ...] = Field(
        (), description="CUDA_VISIBLE_DEVICES of the workers, in turn; empty: as inherited"
    )
    trial_bytes: int | None = Field(
        None, ge=1, description="a trial whose worker holds more memory than this fails"
    )
    trials_per_worker: int = Field(
        20, ge=1, description="a worker process is replaced after so many trials"
    )
    recycle_above: int = Field(
        2_000_000_000,
        ge=1,
        description="bytes: a worker process that holds more after a trial is replaced",
    )
    start_limit: float = Field(
        900.0, gt=0, description="seconds a worker may take to import and to load its data"
    )
    trial_seconds: float | None = Field(None, gt=0, description="time limit of one trial")
    hours: float | None = Field(
        None,
        gt=0,
        description="no trial starts after this time, of which recipes take a quarter at most",
    )
    retries: int = Field(0, ge=0, description="how often a failed trial is tried again")
    consecutive_failures: int = Field(3, ge=1, description="failures in a row that end a search")
    stop_hopeless: bool = Field(
        False, description="stop trials whose validation loss is above the median at that epoch"
    )
    keep_models: int = Field(3, ge=0, description="how many candidates' models stay on disk")

    @field_validator("recipes", mode="before")
    @classmethod
    def _off_is_no_truth_value(cls, recipes: object) -> object:
        return "off" if recipes is False else recipes  # as YAML reads a bare off

    @property
    def tried_recipes(self) -> tuple[RecipeName, ...]:
        """Augmentations that are tried before the search, from the mildest on; none: off."""
        if isinstance(self.recipes, str):
            return _TRIED if self.recipes == "auto" else ()
        return tuple(name for name in _TRIED if name in self.recipes)

    @field_validator("folds", mode="before")
    @classmethod
    def _fold_numbers_are_names(cls, folds: object) -> object:
        if isinstance(folds, list | tuple):
            return tuple(str(name) if type(name) is int else name for name in folds)
        return folds

    @model_validator(mode="after")
    def _check(self) -> SearchSettings:
        if self.spread_folds and self.folds is None:
            raise ValueError("spread_folds: true needs folds")
        if self.architecture is not None and not self.tune:
            raise ValueError("a fixed architecture leaves nothing to search: give tune")
        if (count := sum(map(len, self.tune.values()))) > _MOST_OPTIONS:
            raise ValueError(
                f"tune: {count:,} values are given, each of which is tried for its field: give at "
                f"most {_MOST_OPTIONS:,}"
            )
        for field, options in self.tune.items():
            if not field.startswith(_TUNABLE):
                raise ValueError(f"tune: {field} does not begin with {' or '.join(_TUNABLE)}")
            if not options or len(set(options)) < len(options):
                raise ValueError(f"tune: {field} needs one or more different values")
            if self.tried_recipes and field.startswith(_TRIED_FIELDS):
                raise ValueError(
                    f"tune: {field} is chosen by recipes: set recipes: off, or leave it"
                )
        _check_costs("limits", self.limits)
        alone = ("architecture", "folds", "stop_hopeless", "tune")
        given = [name for name in alone if getattr(self, name)]
        if self.supernet is not None and given:
            raise ValueError(
                f"{given[0]} is for candidates that are trained one by one: leave it out, or "
                "supernet"
            )
        return self


class TrainingSettings(_Settings):
    """A short recipe that ranks candidates or trains their supernet, a long one for the winners."""

    candidate: Recipe = Recipe()
    final: Recipe = Recipe()
    callbacks: tuple[CallbackSettings, ...] = Field(
        (),
        description="Keras callbacks of every training of candidates and winners, by import path; "
        "a supernet and networks with a pretrained trunk are trained without.",
    )
