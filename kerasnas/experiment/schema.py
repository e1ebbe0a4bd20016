"""The settings of an experiment, and what they must agree on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kerasnas import measures
from kerasnas.blocks.architecture import Architecture
from kerasnas.datasets.layouts import DataSettings
from kerasnas.datasets.splits import SplitSettings
from kerasnas.datasets.synthetic.synthetic import SyntheticSettings
from kerasnas.errors import KerasnasError
from kerasnas.experiment import like
from kerasnas.experiment.problems import first_problem
from kerasnas.experiment.search import (
    LONGEST_NAME,
    Option,
    SearchSettings,
    TrainingSettings,
    WinnerRule,
)
from kerasnas.export.settings import ExportSettings
from kerasnas.features.embedding_settings import StoredEmbedding
from kerasnas.features.front_ends import FrontEnd, in_files
from kerasnas.features.like import settings_like
from kerasnas.features.settings import LogMel, Spectrogram
from kerasnas.models.papers import PAPERS, space_names
from kerasnas.models.pretrained.file import read
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.space import SearchSpace, Values
from kerasnas.models.spaces import ModelSettings, space_of
from kerasnas.models.wu_lee import WuLeeSettings
from kerasnas.paths import StrPath, path_or_none


class BudgetedExport(ExportSettings):
    """What is written, and what the written files have to pass."""

    budget: int = Field(500_000, ge=1, description="most bytes of a file")
    false_alarms_per_hour: float | None = Field(
        None,
        gt=0,
        description="most false alarms per hour on data.streams: decisions over time are tuned for "
        "the exported file, and the export fails where more are shown; not proven where the hours "
        "are too few; null: not asked for",
    )


class Published(BaseModel):
    """A published network, to stand beside candidates in the picture of their front."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    score: float = Field(description="by the first objective, as it is published")
    bytes: int = Field(gt=0, description="of its file")
    protocol: str = Field("", description="how it was measured, where that differs")


class ReportSettings(BaseModel):
    """What the report holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audio: bool = Field(
        False,
        description="keep parts of held-out recordings that the network gets wrong in the run, and "
        "play them in report.html (at most 5 MB); cards and exported files never hold any",
    )
    tensorboard: bool = Field(
        True,
        description="write event files of every training, for `tensorboard --logdir runs/NAME`",
    )
    published: tuple[Published, ...] = Field(
        (), description="published networks, beside the front of a score and of bytes"
    )


class Experiment(BaseModel):
    """Everything a search needs; `reading.load` reads it from YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(description="also names the run directory")
    seed: int = Field(0, ge=0, lt=2**32)
    data: DataSettings = SyntheticSettings()
    split: SplitSettings = SplitSettings()
    features: FrontEnd = LogMel()
    model: ModelSettings = WuLeeSettings()
    search: SearchSettings = SearchSettings()
    training: TrainingSettings = TrainingSettings()
    export: BudgetedExport = BudgetedExport()
    report: ReportSettings = ReportSettings()

    @field_validator("name")
    @classmethod
    def _names_a_directory(cls, name: str) -> str:
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueError(
                f"{name!r} names no directory: use letters, digits and _, behind the first - and ."
            )
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(
                f"a name of {len(name.encode())} bytes is too long for a directory: give one of at "
                f"most {LONGEST_NAME}"
            )
        return name

    @field_validator("features", mode="before")
    @classmethod
    def _like_a_file(cls, features: Any) -> Any:
        return like.resolve_like(features)

    @property
    def objectives(self) -> tuple[str, ...]:
        """What candidates are compared by, the most important first."""
        return self.search.objectives or (measures.scores(self.data.multi_label)[0], "loss")

    @property
    def criteria(self) -> tuple[str, ...]:
        """Objectives that are scores: the best candidate by each is a winner."""
        return tuple(name for name in self.objectives if name not in measures.COSTS)

    @property
    def primary_metric(self) -> str:
        """The score that tables and pictures show: the first that is an objective, not the loss."""
        usual = measures.scores(self.data.multi_label)[0]
        return next((name for name in self.criteria if name != "loss"), usual)

    @property
    def winners(self) -> dict[str, WinnerRule]:
        """Rules by which candidates are chosen to be trained again, by the winners' names."""
        return self.search.winners or {name: WinnerRule(by=name) for name in self.criteria}

    @property
    def choose(self) -> str:
        """The name of the exported winner."""
        return self.search.choose or next(iter(self.winners))

    @model_validator(mode="after")
    def _check(self) -> Experiment:
        several = self.data.multi_label
        outputs = {self.training.candidate.output(several), self.training.final.output(several)}
        if len(outputs) > 1:
            raise ValueError("training.candidate.loss and training.final.loss differ: give one")
        if several and "softmax" in outputs and not self.model.softmax_for_tags:
            raise ValueError(
                "categorical_crossentropy is for one label a clip; with data.multi_label use "
                "binary_crossentropy or auto, or a model.space whose paper uses it so: "
                f"{space_names(each for each in PAPERS if each.softmax_for_tags)}"
            )
        front = self.features
        in_decibels = isinstance(front, Spectrogram) and front.decibels
        if not in_decibels and any(
            recipe.augmentation.mixup_domain == "power"
            for recipe in (self.training.candidate, self.training.final)
        ):
            scale = getattr(front, "log", front.kind)
            if scale == "db":  # and yet no powers: a scalogram of logarithms, coefficients, ...
                scale = f"features of kind {front.kind} with these settings"
            raise ValueError(f"mixup_domain: power needs features.log: db, not {scale}")
        recipes = (self.training.candidate, self.training.final)
        if self.search.tried_recipes and any(r.shuffling_and_mixing.clips for r in recipes):
            raise ValueError(
                "search.recipes does not go together with shuffling_and_mixing: set "
                "search.recipes: off, or leave shuffling_and_mixing out"
            )
        if self.export.false_alarms_per_hour is not None and self.data.streams is None:
            raise ValueError(
                "export.false_alarms_per_hour needs data.streams, long recordings to count them in"
            )
        self._check_waveform()
        self._check_stored()
        self._check_trunk()
        self._check_objectives()
        if self.split.validation == "test_list":
            if self.search.folds is not None:
                raise ValueError(
                    "split.validation: test_list scores candidates on the test clips: leave "
                    "search.folds out"
                )
            if self.training.final.patience is not None:
                raise ValueError(
                    "training.final.patience: with split.validation: test_list no clips are left "
                    "to stop by: leave patience out"
                )
        self._check_agreement()
        for field, options in self.search.tune.items():
            for option in options:
                self._check_option(field, option)
        return self

    def _check_waveform(self) -> None:
        """Refuse what would fail after the search: files that cannot begin with the front end."""
        if self.export.waveform:
            try:
                in_files(self.features)
            except KerasnasError as error:
                raise ValueError(str(error)) from None

    def _check_stored(self) -> None:
        """Refuse what takes recordings for stored embeddings, or the other way round."""
        stored, dataset = self.data.stored, self.data.dataset
        if isinstance(self.features, StoredEmbedding) != stored:
            remedy = (
                "it has stored embeddings alone, for features of kind stored_embedding"
                if stored
                else "it has recordings, and no stored embeddings"
            )
            raise ValueError(
                f"features.kind: {self.features.kind} does not go with data.dataset: {dataset}: "
                f"{remedy}"
            )
        recipes = (self.training.candidate, self.training.final)
        if stored and any(r.augmentation.copies for r in recipes):
            raise ValueError(
                f"augmentation.speeds, noise and rooms change recordings; {dataset} has "
                "embeddings alone"
            )

    def _check_trunk(self) -> None:
        """Refuse features that a trunk was not trained on, unless its file is gone."""
        model, given = self.model, self.features
        if not isinstance(model, PretrainedSettings) or not model.file.is_file():
            return
        try:
            file = read(model.file)
            if file.sha256 != model.sha256:
                return  # the space refuses it where it is needed
            named = given.like if isinstance(given, LogMel) else None
            proven = named is not None and named.sha256 == file.sha256
            if file.front_end is not None and not proven:
                like.check(given, model.file, settings_like(file.front_end))
            self.space(classes=2)
        except KerasnasError as error:
            placed = str(error).startswith(("model.", "features."))
            raise ValueError(f"{'' if placed else 'model.space: '}{error}") from None

    def _check_objectives(self) -> None:
        known = (*measures.scores(self.data.multi_label), *measures.COSTS)
        for name in self.objectives:
            if name not in known:
                raise ValueError(
                    f"search.objectives: {name} is none; with this data set they can be "
                    f"{', '.join(known)}"
                )
        channels = getattr(self.features, "channel_examples", None)
        if "channel_macro_f1" in self.objectives and not channels:
            raise ValueError(
                "search.objectives: channel_macro_f1 scores each channel alone, which needs "
                "features.channel_examples"
            )
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("search.objectives names one twice")
        if not self.criteria:
            raise ValueError("search.objectives has only costs: name a score, such as accuracy")
        for name, winner in self.search.winners.items():
            if winner.by not in (None, *self.criteria):
                raise ValueError(
                    f"search.winners.{name}.by is {winner.by}; with these objectives it can be "
                    f"{' or '.join(self.criteria)}"
                )
        if self.choose not in self.winners:
            raise ValueError(
                f"search.choose is {self.choose}; with these objectives and winners it can be "
                f"{' or '.join(self.winners)}"
            )

    def _check_agreement(self) -> None:
        """Refuse what would fail hours later: after the search, where its ranks are measured."""
        agreement = self.search.supernet and self.search.supernet.agreement
        if not agreement:
            return
        if agreement.paths > self.search.trials:
            raise ValueError(
                f"search.supernet.agreement.paths: {agreement.paths} are asked for, and "
                f"search.trials is {self.search.trials}: raise it, or leave agreement out"
            )
        try:
            agreement.recipe(self.training.final)
        except ValidationError as error:
            raise ValueError(
                "search.supernet.agreement.epochs: training.final cannot have so few: "
                f"{first_problem(error)}"
            ) from None

    def _check_option(self, field: str, option: Option) -> None:
        try:
            self.tuned({field: option})
        except KeyError as error:
            raise ValueError(f"search.tune: there is no field {field} ({error})") from None
        except ValidationError as error:
            raise ValueError(
                f"search.tune: {field} cannot be {option!r}: {first_problem(error)}"
            ) from None

    def tuned(self, values: Values) -> Experiment:
        """Return the experiment of a trial: with the fields of `search.tune` as its values say.

        Args:
            values: Of a trial; other genes are left aside.
        """
        chosen = {name: values[name] for name in self.search.tune if name in values}
        if not chosen:
            return self
        data = self.model_dump(mode="json", by_alias=True)
        data["search"]["tune"], data["search"]["architecture"] = {}, None
        for field, value in chosen.items():
            _put(data, field, value)
            if field.startswith("training.candidate."):
                _put(data, field.replace("candidate", "final", 1), value)
        return Experiment.model_validate(data)

    def space(self, classes: int) -> SearchSpace:
        """Return the search space for the experiment's features and so many classes."""
        output = self.training.final.output(self.data.multi_label)
        return space_of(self.model, self.features.input_shape, classes, output)

    def architecture(self, values: Values, classes: int) -> Architecture:
        """Return the network of a trial.

        Args:
            values: The trial's.
            classes: Number of outputs.

        Raises:
            KerasnasError: The fixed architecture's reference does not exist, or the values do not
                fit the input.
        """
        space, fixed = self.tuned(values).space(classes), self.search.architecture
        if fixed is None:
            return space.architecture(values)
        return space.reference(fixed) if isinstance(fixed, str) else space.architecture(fixed)

    def overridden(
        self,
        root: StrPath | None = None,
        workers: int | None = None,
        trials: int | None = None,
        seconds: float | None = None,
        architecture: str | Values | None = None,
        skip_corrupt: bool = False,
    ) -> Experiment:
        """Return the experiment with what the command line and the environment say instead.

        The data set's root becomes absolute: `root`, else `KERASNAS_DATA`, else the file's.

        Raises:
            KerasnasError: What is given does not go with the file.
        """
        if skip_corrupt and not self.data.stored:
            raise KerasnasError(
                f"--skip-corrupt leaves records of shards out: {self.data.dataset} has none"
            )
        search = {"workers": workers, "trials": trials, "hours": seconds and seconds / 3600}
        given: dict[str, Any] = {name: value for name, value in search.items() if value is not None}
        directory = self.data.directory(path_or_none(root))
        data: dict[str, Any] = {"root": directory and directory.absolute()}
        for name in ("streams", "mined"):
            path: Path | None = getattr(self.data, name)
            data[name] = path and path.expanduser().absolute()
        if skip_corrupt:
            data["skip_corrupt"] = True
        if architecture is not None:
            fixed = architecture if isinstance(architecture, str) else dict(architecture)
            if not self.search.tune:
                raise KerasnasError(
                    "with a fixed architecture the experiment needs search.tune, the settings to "
                    "search"
                )
            given["architecture"] = fixed
        changed = self.model_copy(
            update={
                "search": self.search.model_copy(update=given),
                "data": self.data.model_copy(update=data),
            }
        )
        try:
            return Experiment.model_validate(changed.model_dump(mode="json", by_alias=True))
        except ValidationError as error:
            raise KerasnasError(
                f"{self.name}, with what is given beside it: {first_problem(error)}"
            ) from None

    def to_yaml(self) -> str:
        """Return the experiment with every default filled in."""
        data = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _put(data: dict[str, Any], field: str, value: Option) -> None:
    *above, last = field.split(".")
    for name in above:
        data = data[name]
    if last not in data or isinstance(data[last], dict):
        raise KeyError(last)
    data[last] = value
