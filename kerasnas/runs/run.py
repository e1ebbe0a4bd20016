"""A run, read: its experiment, its trials, and the networks that it has chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasnas.errors import KerasnasError
from kerasnas.runs.directory import read_settings
from kerasnas.runs.layout import ExportPaths, RunPaths, TrainingPaths
from kerasnas.runs.records import Description, Winners
from kerasnas.runs.trials import Trials


@dataclass(frozen=True)
class Run:
    """What is read of a run at once; records are read from `paths` as they are needed.

    Attributes:
        paths: Its files.
        settings: Its resolved experiment.
        text: The experiment as written.
        trials: Of its search; none where it has not searched yet.
    """

    paths: RunPaths
    settings: Mapping[str, Any]
    text: str
    trials: Trials

    @classmethod
    def read(cls, path: Path) -> Run:
        """Return the run of a directory.

        Raises:
            KerasnasError: It is no run directory, or its journal is damaged.
        """
        paths = RunPaths(path)
        settings, text = read_settings(path)
        trials = Trials.read(path) if paths.journal.exists() else Trials()
        return cls(paths, settings, text, trials)

    @property
    def inherits(self) -> bool:
        """Whether candidates were scored with a supernet's weights, and not trained themselves."""
        return (self.settings.get("search") or {}).get("supernet") is not None

    @property
    def chosen_on_test(self) -> bool:
        """Whether architectures were chosen on the clips that networks are tested on."""
        return (self.settings.get("split") or {}).get("validation") == "test_list"


def read_winners(run: Path) -> Winners:
    """Return what the rules of a run's search have chosen.

    Raises:
        KerasnasError: The search has not chosen a network yet, or `winners.json` is damaged.
    """
    winners = Winners.known(RunPaths(run).winners)
    if winners is None:
        raise KerasnasError(
            f"{run} has no chosen network yet: let `kerasnas search` end there first"
        )
    return winners


def chosen_training(run: Path) -> TrainingPaths:
    """Return the files of the network that a run has chosen; errors as of `read_winners`."""
    return TrainingPaths(run / read_winners(run).exported.directory)


def description_of(model: Path) -> Description | None:
    """Return the description of a model in a run directory, or of its export.

    Args:
        model: A `.keras` file beside its description, or a file in the export of one.

    Returns:
        None for a model of another place.

    Raises:
        KerasnasError: The description is damaged.
    """
    for directory in model.absolute().parents[:2]:  # the model's own, or that of its export
        if TrainingPaths(directory).description.is_file():
            return Description.read(TrainingPaths(directory).description)
        if RunPaths(directory).winners.is_file():
            return Description.read(chosen_training(directory).description)
    return None


def read_labels(export: ExportPaths) -> tuple[str, ...]:
    """Return the classes of an export, in the order of the scores.

    Raises:
        KerasnasError: `labels.txt` cannot be read.
    """
    try:
        return tuple(export.labels.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise KerasnasError(f"{export.labels} cannot be read: {error}") from None
