"""A search as its experiment describes it: genes, window, oracle, and what is tried first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.export.process.quiet import quiet
from kerasnas.flow.stages.limits import Sizes
from kerasnas.flow.stages.supernet import digest
from kerasnas.flow.task.task import Task
from kerasnas.models.choices import ChoiceSpace
from kerasnas.models.space import Values
from kerasnas.tuners import Gene, Genes, Search, SearchError, Window


@contextmanager
def open_search(
    task: Task, sizes: Sizes, run: Path | None = None, supernet: Path | None = None
) -> Iterator[Search]:
    """Open the search of an experiment, begin it or resume it, and close it at the end.

    Args:
        task: The task.
        sizes: What candidates cost.
        run: The run directory, which keeps the journal; None keeps all in memory.
        supernet: File whose weights candidates inherit.

    Raises:
        KerasnasError: What is enqueued is no candidate.
        TunerError: As from `Search`.
    """
    experiment, settings = task.experiment, task.experiment.search
    with Search(
        genes_of(task),
        [(name, measures.direction(name)) for name in experiment.objectives],
        propose=settings.oracle.propose(),
        max_trials=settings.trials,
        window=Window(sizes, settings.window.minimum, settings.window.maximum),
        seed=experiment.seed,
        directory=run,
        identity={
            "clips": task.clips.digest(),
            "output": task.space.output,
            **_recipe(experiment),
            **({} if supernet is None else {"supernet": digest(supernet)}),
        },
        max_retries=settings.retries,
        max_consecutive_failures=settings.consecutive_failures,
        time_budget=None if settings.hours is None else 3600 * settings.hours,
    ) as engine:
        for enqueued in settings.enqueue:
            values = enqueued_values(task, enqueued)
            sizes.check(values, f"search.enqueue: {enqueued}")
            engine.enqueue(values)
        yield engine


def rehearse(task: Task) -> None:
    """Refuse what no search could begin with, before a supernet is trained for it.

    Raises:
        KerasnasError: What is enqueued is no candidate.
        TunerError: No candidate lies in the window.
    """
    sizes = Sizes(task)
    with open_search(task, sizes) as engine:
        try:
            engine.ask()
        except SearchError as error:
            raise SearchError(sizes.explained(str(error))) from error


def _recipe(experiment: Experiment) -> dict[str, str]:
    """Return what tells searches by different recipes apart, where recipes were compared."""
    if not experiment.search.tried_recipes:
        return {}
    recipe = experiment.training.candidate.model_dump_json(include={"augmentation", "sampling"})
    return {"recipe": hashlib.sha256(recipe.encode()).hexdigest()[:16]}


def genes_of(task: Task) -> Genes:
    """Return the genes of a search.

    Those of the space, unless the architecture is fixed, and those of the tuned settings.
    """
    settings, genes = task.experiment.search, Genes(())
    if settings.architecture is None:
        if inputs := [field for field in settings.tune if field.startswith("features.")]:
            raise KerasnasError(
                f"search.tune: {inputs[0]} changes the networks' input, so it needs a fixed "
                "network: give search.architecture or --architecture"
            )
        with quiet():
            import keras_tuner

        hyperparameters = keras_tuner.HyperParameters()
        task.space.define(hyperparameters)
        genes = Genes.from_hyperparameters(hyperparameters)
    return genes.extended(Gene(field, values=options) for field, options in settings.tune.items())


def enqueued_values(task: Task, enqueued: str | Values | Sequence[int]) -> Values:
    """Values of all genes, of a point of the space given by them, its name or its chromosome.

    A reference may have values of layers which do not exist with these features: they are left out.
    """
    if isinstance(enqueued, Mapping):
        return enqueued
    if not isinstance(enqueued, str):
        if not isinstance(task.space, ChoiceSpace):
            raise KerasnasError(
                f"search.enqueue: {list(enqueued)} is a chromosome, which the space "
                f"{task.experiment.model.space} has none of: give values by the genes' names"
            )
        try:
            return task.space.chromosome(enqueued)
        except KerasnasError as error:
            raise KerasnasError(f"search.enqueue: {error}") from None
    if enqueued not in task.space.references:
        raise KerasnasError(
            f"search.enqueue: {enqueued!r} is no point of the space; these are: "
            f"{', '.join(task.space.references)}"
        )
    names = {gene.name for gene in genes_of(task)}
    reference = task.space.references[enqueued]
    return {name: value for name, value in reference.items() if name in names}
