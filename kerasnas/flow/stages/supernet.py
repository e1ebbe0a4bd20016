"""Candidates by inherited weights: a supernet is trained once, and every candidate scored on it.

Li et al., Interspeech 2020, section 2.2. The supernet lies in the run directory as `supernet.npz`
(its training goes on from there), and `supernet.json` says how its training went.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kerasnas import files, measures
from kerasnas.errors import KerasnasError
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.recipes import decided
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task, load_task
from kerasnas.flow.workers.pool import run_jobs
from kerasnas.models.choices import ChoiceSpace
from kerasnas.models.papers import PAPERS, space_names
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import EpochTable
from kerasnas.streams import Stream
from kerasnas.supernet import checkpoint
from kerasnas.supernet.space import Choice, SupernetSpace
from kerasnas.training.examples import Examples
from kerasnas.tuners.runners.base import Evaluate, Job, TrialContext


def space_of(task: Task) -> SupernetSpace:
    """Return the networks of a task's search space, as a supernet holds them.

    Raises:
        KerasnasError: The space is not one of choices, or no supernet can hold it.
    """
    space = _choices(task)
    return SupernetSpace(
        task.experiment.model.space,
        space.input_shape,
        tuple(
            Choice(tuple(layer.values())) if isinstance(layer, Mapping) else layer
            for layer in space.layers
        ),
        space.causal,
    )


def train_missing_supernet(session: Session) -> Path:
    """Return the file of the supernet that candidates are scored on, trained here if need be.

    Args:
        session: Of the search; the supernet is trained on this machine.

    Raises:
        KerasnasError: The space does not fit, the file holds a supernet of another space or one
            that was trained on other clips or features, or the training failed.
    """
    task, console = session.task, session.console
    settings, space = task.experiment.search.supernet, space_of(task)
    assert settings is not None
    if settings.file is not None:
        _, state, _ = checkpoint.read(settings.file, space)
        _check_data(settings.file, state, _describe_data(task), console)
        return settings.file.absolute()
    file = session.paths.supernet
    if file.exists():
        checkpoint.read(file, space)
    if not file.exists() or session.intact(EpochTable, session.paths.supernet_history) is None:
        console.print(f"Training the supernet of {space} ...", markup=False)
        recipe = task.experiment.training.candidate
        task.examples(task.split.train, recipe)  # new clips are made here, where one sees it
        factory, directory = "kerasnas.flow.stages.supernet:train", session.run.absolute()
        job = Job("supernet", factory, session.worker_arguments, {}, directory)
        run_jobs(replace(session, cluster=None), "supernet", [job], recipe.epochs)
    return file.absolute()


def digest(file: Path) -> str:
    """Short text that changes with a supernet: scores of different ones must not be mixed."""
    return files.digest(file)[:16]


def train(run: str, cache: str) -> Evaluate:
    """Train the supernet of a run; what was trained before is gone on with."""
    task = _load(run, cache)
    paths = RunPaths(Path(run))

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        from kerasnas.supernet.supernet import Supernet
        from kerasnas.supernet.train import train

        experiment = task.experiment
        assert experiment.search.supernet is not None
        examples = task.examples(task.split.train, experiment.training.candidate)
        supernet = Supernet(space_of(task), experiment.seed)
        supernet.normalise(examples)
        history = train(
            supernet,
            examples,
            experiment.training.candidate,
            seed=experiment.seed,
            file=paths.supernet,
            save_every=experiment.search.supernet.save_every,
            on_epoch=lambda epoch, metrics: trial.report(epoch, **metrics),
            data=_describe_data(task),
        )
        EpochTable(tuple(history)).write(paths.supernet_history)
        return {"metrics": {"loss": history[-1]["loss"]}}

    return evaluate


def candidate(run: str, cache: str, supernet: str) -> Evaluate:
    """Score candidates on the validation clips with the weights that they share.

    The supernet stays in memory. Test clips are not scored: a supernet's scores of them tell
    nothing of a trained network.
    """
    from kerasnas.supernet.supernet import Supernet

    task = _load(run, cache)
    experiment, space = task.experiment, _choices(task)
    settings = experiment.search.supernet
    assert settings is not None
    resident = Supernet.load(Path(supernet), space_of(task))
    held_out = task.examples(task.split.validation)
    recalibration = _draw_examples(task, settings.recalibration_clips)

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        path = space.path(values)
        if recalibration is None:
            result = resident.score(path, held_out, settings.batch_size)
        else:
            with resident.recalibrated(path, recalibration):
                result = resident.score(path, held_out, settings.batch_size)
        cost = space.architecture(values).cost().to_json()
        costs = {name: cost[name] for name in experiment.objectives if name in measures.COSTS}
        names = {experiment.primary_metric, "loss", *experiment.criteria}
        return {"metrics": {name: result.metrics[name] for name in names} | costs, **cost}

    return evaluate


def _load(run: str, cache: str) -> Task:
    return load_task(decided(read_experiment(Path(run)), Path(run)), Path(cache))


def _choices(task: Task) -> ChoiceSpace:
    space = task.space
    if not isinstance(space, ChoiceSpace):
        raise KerasnasError(
            "search.supernet needs a space of choices: model.space can be "
            f"{space_names(each for each in PAPERS if each.of_choices)}, and is "
            f"{task.experiment.model.space}"
        )
    return space


def _describe_data(task: Task) -> dict[str, str]:
    """Return what tells the training clips and features of a task from others."""
    clips, front_end = task.clips.subset(task.split.train), task.experiment.features
    return {
        "training clips": f"{len(clips)} ({clips.digest()})",
        "features": hashlib.sha256(front_end.model_dump_json().encode()).hexdigest()[:16],
    }


def _check_data(
    file: Path, state: Mapping[str, Any], ours: dict[str, str], console: Console
) -> None:
    """Refuse a supernet that may know the clips that candidates are scored on."""
    theirs = state.get("settings", {}).get("data")
    if not theirs:
        text = f"{file} does not say what it was trained on: it must not know validation clips."
        console.print(text, markup=False)
    elif theirs != ours:
        different = [name for name in ours if theirs.get(name) != ours[name]]
        named = "; ".join(
            f"{name} {theirs.get(name)} there, {ours[name]} here" for name in different
        )
        raise KerasnasError(
            f"{file} was trained on other data: {named}. Give seed, data, split and features as "
            "they were, since scores of clips it was trained on say nothing, or leave "
            "search.supernet.file out"
        )


def _draw_examples(task: Task, clips: int) -> Examples | None:
    """So many training clips, the same ones for every candidate; None for none."""
    if not clips:
        return None
    train = task.split.train
    rng = np.random.default_rng((task.experiment.seed, Stream.RECALIBRATION))
    return task.examples(np.sort(rng.choice(train, min(clips, len(train)), replace=False)))
