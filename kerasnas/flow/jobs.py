"""What worker processes do: train and score a candidate, train and score a winner.

Each factory loads the data once and returns the function that the runner calls for every job.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from kerasnas.blocks.architecture import Architecture
from kerasnas.files import write_json
from kerasnas.flow import scores, task
from kerasnas.flow.run import read_experiment
from kerasnas.flow.task import Task
from kerasnas.training.examples import Examples
from kerasnas.training.fit import fit, normalise
from kerasnas.training.recipe import Recipe
from kerasnas.tuners.runners.base import Evaluate, TrialContext


def candidate(run: str, cache: str) -> Evaluate:
    """Train a candidate briefly; score it on the validation clips, by which it is chosen.

    The test clips are scored, too, and never chosen by: they tell how good the choice was.
    """
    loaded = _load(run, cache)
    validation = loaded.examples(loaded.split.validation)
    test = loaded.examples(loaded.split.test)
    experiment = loaded.experiment
    training = loaded.examples(loaded.split.train, experiment.training.candidate)

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        assert trial.directory is not None
        architecture = loaded.space.architecture(values)
        model = _fitted(
            architecture,
            training,
            experiment.training.candidate,
            experiment.seed,
            trial.directory,
            validation,
            trial,
        )
        if experiment.search.keep_models:
            _save(model, trial.directory / "model.keras")
        primary = experiment.primary_metric
        on_validation = scores.score_model(model, loaded, validation)
        on_test = scores.score_model(model, loaded, test)
        return {
            "metrics": {
                primary: on_validation.metrics[primary],
                "loss": on_validation.metrics["loss"],
                f"test_{primary}": on_test.metrics[primary],
            },
            **architecture.cost().to_json(),
        }

    return evaluate


def final(run: str, cache: str) -> Evaluate:
    """Train an architecture with the final recipe and score it on clips it has not seen.

    Values: `architecture` (JSON), `seed`, and `fold`: null for the experiment's test clips, or
    the name of the fold to test on. Training takes all other clips; only a recipe that stops
    early keeps the validation clips for that (the test clips are never looked at).
    """
    loaded = _load(run, cache)

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        assert trial.directory is not None
        recipe = loaded.experiment.training.final
        train, validation, test = loaded.final_parts(values["fold"])
        model = _fitted(
            Architecture.from_json(values["architecture"]),
            loaded.examples(train, recipe),
            recipe,
            values["seed"],
            trial.directory,
            loaded.examples(validation) if len(validation) else None,
            trial,
        )
        _save(model, trial.directory / "model.keras")
        result = scores.score_model(model, loaded, loaded.examples(test))
        part = "test" if values["fold"] is None else f"fold {values['fold']}"
        report = scores.to_json(result, loaded, part)
        write_json(trial.directory / "evaluation.json", report)
        return {"metrics": report["metrics"]}

    return evaluate


def _load(run: str, cache: str) -> Task:
    return task.load(read_experiment(Path(run)), Path(cache))


def _fitted(
    architecture: Architecture,
    examples: Examples,
    recipe: Recipe,
    seed: int,
    directory: Path,
    validation: Examples | None,
    trial: TrialContext,
) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    model = architecture.build()
    normalise(model, examples)

    def on_epoch(epoch: int, metrics: dict[str, float]) -> bool:
        return trial.report(epoch, **metrics)

    history = fit(model, examples, recipe, validation=validation, seed=seed, on_epoch=on_epoch)
    epochs = [_finite(epoch) for epoch in history]
    write_json(directory / "history.json", {"schema": 1, "epochs": epochs})
    return model


def _finite(epoch: dict[str, float]) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in epoch.items()}


def _save(model: Any, path: Path) -> None:
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    model.save(beside)
    beside.replace(path)
