"""An experiment: one YAML file that says everything a search needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kerasnas.blocks.architecture import SizeRule
from kerasnas.datasets.places import data_root
from kerasnas.datasets.settings import DataSettings
from kerasnas.datasets.splits import SplitSettings
from kerasnas.errors import KerasnasError
from kerasnas.export.settings import ExportSettings
from kerasnas.features.settings import LogMel
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace
from kerasnas.training.recipe import Recipe


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Settings):
    """Sizes a candidate may have; others are never trained."""

    rule: SizeRule = Field("int8_file", description="how bytes are counted")
    minimum: int = Field(0, ge=0, description="bytes")
    maximum: int = Field(500_000, ge=1, description="bytes")

    @model_validator(mode="after")
    def _check(self) -> Window:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class SearchSettings(_Settings):
    """How candidates are found, scored and chosen."""

    oracle: Literal["size_constrained_random"] = "size_constrained_random"
    trials: int = Field(20, ge=1, description="candidates to train")
    window: Window = Window()
    choose: Literal["accuracy", "mean_average_precision", "loss"] | None = Field(
        None,
        description="the winner that is exported; null: accuracy, or mean_average_precision where "
        "clips carry several labels",
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
    trial_seconds: float | None = Field(None, gt=0, description="time limit of one trial")
    hours: float | None = Field(None, gt=0, description="no trial starts after this time")
    retries: int = Field(0, ge=0, description="how often a failed trial is tried again")
    consecutive_failures: int = Field(3, ge=1, description="failures in a row that end a search")
    stop_hopeless: bool = Field(
        False, description="stop trials whose validation loss is above the median at that epoch"
    )
    keep_models: int = Field(3, ge=0, description="how many candidates' models stay on disk")


class TrainingSettings(_Settings):
    """A short recipe that ranks candidates, a long one for the winners."""

    candidate: Recipe = Recipe()
    final: Recipe = Recipe()


class Experiment(_Settings):
    """Everything a search needs; `load` reads it from YAML."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(pattern=r"^[\w][\w.-]*$", description="also names the run directory")
    seed: int = Field(0, ge=0)
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    features: LogMel = LogMel()
    model: WuLeeSettings = WuLeeSettings()
    search: SearchSettings = SearchSettings()
    training: TrainingSettings = TrainingSettings()
    export: ExportSettings = ExportSettings()

    @property
    def primary_metric(self) -> str:
        """What candidates are compared by, besides their loss."""
        return "mean_average_precision" if self.data.multi_label else "accuracy"

    @property
    def choose(self) -> str:
        """The criterion of the exported winner."""
        return self.search.choose or self.primary_metric

    @model_validator(mode="after")
    def _check(self) -> Experiment:
        several = self.data.multi_label
        outputs = {self.training.candidate.output(several), self.training.final.output(several)}
        if len(outputs) > 1:
            raise ValueError("training.candidate.loss and training.final.loss differ: give one")
        if several and "softmax" in outputs:
            raise ValueError(
                "categorical_crossentropy is for one label a clip; with data.multi_label use "
                "binary_crossentropy or auto"
            )
        if self.features.log != "db" and any(
            recipe.augmentation.mixup_domain == "power"
            for recipe in (self.training.candidate, self.training.final)
        ):
            raise ValueError(f"mixup_domain: power needs features.log: db, not {self.features.log}")
        if self.choose not in (self.primary_metric, "loss"):
            raise ValueError(
                f"search.choose is {self.choose}; with this data set it can be "
                f"{self.primary_metric} or loss"
            )
        return self

    def space(self, input_shape: tuple[int, ...], classes: int) -> WuLeeSpace:
        """The search space for features of `input_shape`, `(frames, bins, channels)`."""
        output = self.training.final.output(self.data.multi_label)
        return WuLeeSpace(input_shape, classes, output, self.model)

    def overridden(
        self,
        root: Path | None = None,
        workers: int | None = None,
        trials: int | None = None,
        seconds: float | None = None,
    ) -> Experiment:
        """The experiment with what the command line and the environment say instead of the file.

        The data set's root becomes absolute: `root`, else `KERASNAS_DATA`, else the file's.
        """
        search = {"workers": workers, "trials": trials, "hours": seconds and seconds / 3600}
        given = {name: value for name, value in search.items() if value is not None}
        directory = data_root(root, self.data.root)
        if self.data.dataset == "synthetic":  # nothing is generated among the user's recordings
            directory = root or self.data.root
        data = {"root": directory and directory.absolute()}
        return self.model_copy(
            update={
                "search": self.search.model_copy(update=given),
                "data": self.data.model_copy(update=data),
            }
        )

    def to_yaml(self) -> str:
        """The experiment with every default filled in."""
        data = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def load(path: Path) -> Experiment:
    """Read an experiment.

    Raises:
        KerasnasError: The file is missing, not YAML, or a field is unknown or wrong; the message
            gives file, line, field, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KerasnasError(
            f"there is no experiment {path}; `kerasnas init FOLDER` writes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KerasnasError(f"the experiment {path} cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KerasnasError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(data, Mapping):
        raise KerasnasError(f"{path} holds no fields: an experiment is a mapping such as `name: x`")
    _reject_repeated_keys(path, node)
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        problems = [_describe(path, node, problem) for problem in error.errors()]
        raise KerasnasError("\n".join(problems)) from None


def _reject_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise KerasnasError(
                    f"{path}:{line}: {key.value!r} is given a second time (first on line "
                    f"{seen[key.value]}): keep one"
                )
            seen[key.value] = line
            _reject_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _reject_repeated_keys(path, value)


def _describe(path: Path, node: yaml.Node | None, problem: Any) -> str:
    location = problem["loc"]
    field = ".".join(str(part) for part in location) or "experiment"
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        text = f"unknown field; allowed here: {', '.join(_fields_at(location[:-1]))}"
    elif problem["type"] == "missing":
        text = "this field is required"
    elif problem["type"] != "value_error":
        text = f"{text}, not {problem['input']!r}"
    return f"{path}:{_line(node, location)}: {field}: {text}"


def _line(node: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """Line, from 1, of the deepest part of `location` that the file names."""
    line = node.start_mark.line if node else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                continue
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1


def _fields_at(location: tuple[Any, ...]) -> list[str]:
    model: Any = Experiment
    for part in location:
        model = model.model_fields[part].annotation
    return [info.alias or name for name, info in model.model_fields.items()]
