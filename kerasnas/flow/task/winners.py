"""Networks that a search has chosen: what describes them, and where they are found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import read_json
from kerasnas.flow.opening import read_experiment
from kerasnas.models.space import Values

DESCRIPTION = "architecture.json"


def winners_of(run: Path) -> dict[str, Any]:
    """What `winners.json` of a run holds.

    Raises:
        KerasnasError: The search has not chosen a network yet.
    """
    if not (run / "winners.json").is_file():
        raise KerasnasError(
            f"{run} has no chosen network yet: let `kerasnas search` end there first"
        )
    winners: dict[str, Any] = read_json(run / "winners.json")
    return winners


def chosen(run: Path) -> dict[str, Any]:
    """The description of the network that a run has chosen; see `winners_of`."""
    winners = winners_of(run)
    described: dict[str, Any] = read_json(
        run / winners[winners["chosen"]]["directory"] / DESCRIPTION
    )
    return described


def chosen_values(run: Path) -> str | Values:
    """What gives a run's chosen network again: values of its genes, or a reference's name."""
    fixed = read_experiment(run).search.architecture
    return dict(chosen(run)["values"]) if fixed is None else fixed


def describe(
    experiment: Experiment, architecture: Architecture, tuned: Mapping[str, Any]
) -> dict[str, Any]:
    """What `architecture.json` holds of a network that is trained with the final recipe.

    Args:
        experiment: With the tuned settings in their places.
        architecture: The network.
        tuned: The settings that a search has tuned, by dotted field.
    """
    return {
        "schema": 1,
        "architecture": architecture.to_json(),
        "recipe": experiment.training.final.model_dump(mode="json"),
        **({"settings": dict(tuned)} if tuned else {}),
    }


def description_of(model: Path) -> Mapping[str, Any]:
    """The description of a model in a run directory, or of its export; empty for others."""
    for directory in model.absolute().parents[:2]:  # the model's own, or that of its export
        if (directory / DESCRIPTION).is_file():
            described: dict[str, Any] = read_json(directory / DESCRIPTION)
            return described
        if (directory / "winners.json").is_file():
            return chosen(directory)
    return {}
