"""The recipe of a search: that of a comparison, which is made once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from kerasnas.errors import counted
from kerasnas.flow.stages.recipes.comparison import compare
from kerasnas.flow.stages.recipes.work import without_time_of
from kerasnas.flow.task.recipes import with_chosen
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.runs.records import Recipes


def choose_recipe(session: Session) -> Session:
    """Return a session whose experiment has the recipe that suits the recordings best.

    What is trained already is not trained again. `recipes.json` keeps the comparison, which
    decides: whoever works in the run takes the recipe from there.

    Raises:
        KerasnasError: No recipe could be trained.
        TunerError: No candidate lies in the window.
    """
    if not session.experiment.search.tried_recipes:
        return session
    made_from = _digest(session.task)
    record = session.intact(Recipes, session.paths.recipes)
    if record is None or record.made_from != made_from:
        record = compare(session, made_from)
        record.write(session.paths.recipes)
    session.console.print(in_words(record), markup=False)
    experiment = without_time_of(with_chosen(session.experiment, record), record)
    return replace(session, task=replace(session.task, experiment=experiment))


def in_words(record: Recipes) -> str:
    """Return what came of a comparison, for the screen."""
    losses = "; ".join(
        f"{each.name} {'failed' if each.loss is None else f'{each.loss:.3f}'}"
        for each in record.tried
    )
    epochs = counted(record.epochs, "epoch")
    if record.epochs < record.final_epochs:
        epochs += f" of {record.final_epochs}, a quarter of the time"
    return f"recipe: {record.chosen} (losses on validation clips: {losses}; {epochs})"


def _digest(task: Task) -> str:
    """Return a digest of what decides; settings of the final training alone may change later."""
    experiment = task.experiment
    data = experiment.model_dump(mode="json", by_alias=True)
    search = ("recipes", "window", "limits", "architecture", "tune", "objectives")
    fields = {
        "clips": task.clips.digest(),
        "train": hashlib.sha256(task.split.train.tobytes()).hexdigest(),
        "validation": hashlib.sha256(task.split.validation.tobytes()).hexdigest(),
        "candidate": data["training"]["candidate"],
        "search": {name: data["search"][name] for name in search},
        **{name: data[name] for name in ("seed", "features", "model")},
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
