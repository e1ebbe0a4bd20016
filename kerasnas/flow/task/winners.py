"""Networks that a search has chosen: what describes them, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasnas.blocks.architecture import Architecture
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import read_experiment
from kerasnas.models.space import Values
from kerasnas.runs.records import Description
from kerasnas.runs.run import chosen_training


def read_chosen(run: Path) -> Description:
    """Return the description of the network that a run has chosen.

    Raises:
        KerasnasError: The search has not chosen a network yet, or a record is damaged.
    """
    return Description.read(chosen_training(run).description)


def read_chosen_values(run: Path) -> str | Values:
    """Return the genes' values of a run's chosen network, or the name of a reference.

    Raises:
        KerasnasError: As from `read_chosen`.
    """
    fixed = read_experiment(run).search.architecture
    return dict(read_chosen(run).values or {}) if fixed is None else fixed


def describe(
    experiment: Experiment, architecture: Architecture, tuned: Mapping[str, Any], **given: Any
) -> Description:
    """Return the description of a network that is trained with the final recipe.

    Args:
        experiment: With the tuned settings in their places.
        architecture: The network.
        tuned: The settings that a search has tuned, by dotted field.
        given: Other fields of the description.
    """
    recipe = experiment.training.final.model_dump(mode="json")
    return Description(architecture.to_json(), recipe, dict(tuned), **given)
