"""Networks that a search has chosen: what describes them, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import read_experiment
from kerasnas.models.space import Values
from kerasnas.runs.directory import is_run
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import ControllerCurve, Description
from kerasnas.runs.run import chosen_training, read_winners

MOST_PROBABLE = "most_probable"
"""Name of the network that a controller finds most probable."""


def read_chosen(run: Path) -> Description:
    """Return the description of the network that a run has chosen.

    Raises:
        KerasnasError: The search has not chosen a network yet, or a record is damaged.
    """
    return Description.read(chosen_training(run).description)


def searched_network(text: str) -> tuple[Path, str | None] | None:
    """Return the run and the name of a winner that `RUN` or `RUN:NAME` means.

    Returns:
        The name is None for the chosen winner; None where no run directory is meant.
    """
    if is_run(Path(text)):
        return Path(text), None
    path, colon, name = text.rpartition(":")
    return (Path(path), name) if colon and is_run(Path(path)) else None


def read_named(run: Path, name: str, classes: int) -> Description:
    """Return the description of a searched network by its name.

    Args:
        run: The run directory.
        name: Of one of its winners, or `most_probable` for what its controller finds most probable.
        classes: Number of outputs.

    Raises:
        KerasnasError: There is no such network, or as from `read_chosen`.
    """
    if name == MOST_PROBABLE:
        return _most_probable(run, classes)
    winners = read_winners(run)
    if name not in winners.winners:
        raise KerasnasError(
            f"{run}:{name}: its winners are {', '.join(winners.winners)}; a controller's own "
            f"choice is {run}:{MOST_PROBABLE}"
        )
    return Description.read(TrainingPaths(run / winners.winners[name].directory).description)


def _most_probable(run: Path, classes: int) -> Description:
    path = RunPaths(run).controller
    record = ControllerCurve.read(path) if path.is_file() else None
    if record is None or record.most_probable is None:
        raise KerasnasError(
            f"{run}:{MOST_PROBABLE}: no controller has learned there; search with oracle: "
            "controller, and with more trials than search.oracle.batch"
        )
    experiment, values = read_experiment(run), dict(record.most_probable.values)
    tuned = {name: values[name] for name in experiment.search.tune}
    network = experiment.architecture(values, classes)
    return describe(experiment.tuned(tuned), network, tuned, values=values)


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
