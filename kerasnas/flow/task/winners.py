"""Networks that a search has chosen: what describes them, and where they are found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import read_json
from kerasnas.flow.task.opening import read_experiment
from kerasnas.models.space import Values

DESCRIPTION = "architecture.json"


def read_winners(run: Path) -> dict[str, Any]:
    """Return what `winners.json` of a run holds.

    Raises:
        KerasnasError: The search has not chosen a network yet.
    """
    if not (run / "winners.json").is_file():
        raise KerasnasError(
            f"{run} has no chosen network yet: let `kerasnas search` end there first"
        )
    winners: dict[str, Any] = read_json(run / "winners.json")
    return winners


def read_chosen(run: Path) -> dict[str, Any]:
    """Return the description of the network that a run has chosen; see `read_winners`."""
    winners = read_winners(run)
    described: dict[str, Any] = read_json(
        run / winners[winners["chosen"]]["directory"] / DESCRIPTION
    )
    return described


def read_chosen_values(run: Path) -> str | Values:
    """Return the genes' values of a run's chosen network, or the name of a reference."""
    fixed = read_experiment(run).search.architecture
    return dict(read_chosen(run)["values"]) if fixed is None else fixed


def describe(
    experiment: Experiment, architecture: Architecture, tuned: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a network that is trained with the final recipe, as `architecture.json` holds it.

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


def find_description(model: Path) -> Mapping[str, Any]:
    """Return the description of a model in a run directory, or of its export; empty for others."""
    for directory in model.absolute().parents[:2]:  # the model's own, or that of its export
        if (directory / DESCRIPTION).is_file():
            described: dict[str, Any] = read_json(directory / DESCRIPTION)
            return described
        if (directory / "winners.json").is_file():
            return read_chosen(directory)
    return {}
