"""What a network has to beat: baselines on the same split and features, measured once a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasnas.experiment import Experiment
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Indices, Task
from kerasnas.runs.records import Baselines, BaselineScores, SuspectEntry
from kerasnas.training.review import baseline
from kerasnas.training.review.label_errors import suspects
from kerasnas.training.scoring.metrics import ClipScores, evaluation
from kerasnas.words import words

REGRESSION = "a logistic regression"

MOST_PRODUCTS = 1_000_000
"""Clips times classes; a regression on more would take longer than many a search."""

_SUSPECTS = 50

_Parts = Mapping[str, tuple[Indices, Indices]]


def measure_baselines(session: Session) -> Baselines:
    """Return the baselines of a run's split; what `baselines.json` holds is not measured again.

    The regression of the test clips is fitted to what a final training learns from, validation
    clips included, that of the validation clips to the training clips alone.
    """
    split = session.task.split
    parts = {"validation": (split.train, split.validation), "test": _final(session.task, None)}
    return _measured(session, session.paths.baselines, split.train, parts)


def fold_baselines(session: Session, path: Path, fold: str | None) -> Baselines:
    """Return the baselines of a final training that tests on a fold, measured once.

    Args:
        session: With the task of the training.
        path: Where they are kept.
        fold: As of `Task.final_parts`.
    """
    fitted, test = _final(session.task, fold)
    return _measured(session, path, fitted, {"test": (fitted, test)})


def _final(task: Task, fold: str | None) -> tuple[Indices, Indices]:
    """Return the clips that a final training learns from, and those it is scored on."""
    train, early, test = task.final_parts(fold)
    return np.union1d(train, early), test


def _measured(session: Session, path: Path, train: Indices, parts: _Parts) -> Baselines:
    task = session.task
    made_from = _digest(task, parts)
    known = session.intact(Baselines, path)
    if known is not None and known.made_from == made_from:
        return known
    with session.console.status("Measuring baselines"):
        found = of_parts(task, train, parts, made_from)
    found.write(path)
    return found


def of_parts(task: Task, train: Indices, parts: _Parts, made_from: str = "") -> Baselines:
    """Return the baselines of some parts of a task's clips.

    Args:
        task: The task.
        train: Clips among which wrong labels are suspected.
        parts: By name, the clips to fit a regression to, and those to score it on.
        made_from: What the record keeps of its origin.
    """
    classes = task.clips.classes
    size = len(
        np.unique(np.concatenate([train, *(each for part in parts.values() for each in part)]))
    )
    if size * len(classes) > MOST_PRODUCTS:
        skipped = f"{size:,} clips of {len(classes):,} classes would take too long"
        return Baselines(made_from, skipped, None, {}, (), 0)
    several = task.clips.multi_label
    found = baseline.measure(
        task.features,
        task.targets,
        train,
        parts,
        multi_label=several,
        loss=scores.loss_of(task),
        groups=task.clips.groups,
        balanced=task.experiment.training.final.balanced,
        seed=task.experiment.seed,
    )
    suspected = suspects(task.targets[train], found.out_of_fold, multi_label=several)
    return Baselines(
        made_from,
        None,
        found.strength,
        {
            name: BaselineScores(
                found.majority[name].predictions[0].astype(np.float64),
                found.majority[name].metrics,
                dict(found.chance[name]),
                scores.record(regression, task, name),
            )
            for name, regression in found.regression.items()
        },
        tuple(
            SuspectEntry(
                task.clips[int(train[each.index])].id,
                tuple(classes[index] for index in each.given),
                tuple(classes[index] for index in each.suggested),
                each.margin,
            )
            for each in suspected[:_SUSPECTS]
        ),
        len(suspected),
    )


def judged_by(experiment: Experiment) -> str:
    """Return the score that networks and baselines are compared by.

    A baseline answers whole clips, so that it has no score of single channels.
    """
    metric = experiment.primary_metric
    return "macro_f1" if metric == "channel_macro_f1" else metric


def baseline_names(task: Task, part: BaselineScores) -> tuple[str, str]:
    """Return what to call the majority's baseline and the regression in a sentence."""
    if task.clips.multi_label:
        return "the tags' frequencies", REGRESSION
    return f'always answering "{task.clips.classes[int(part.frequencies.argmax())]}"', REGRESSION


def evaluations(task: Task, part: BaselineScores) -> dict[str, ClipScores]:
    """Return what the baselines answered on the clips of a part, by what to call them."""
    known = part.regression
    labels = known.labels.astype(np.float32)
    answers = np.tile(part.frequencies, (known.count, 1)), known.predictions
    return {
        name: evaluation(
            labels,
            predictions.astype(np.float32),
            np.arange(known.count),
            multi_label=task.clips.multi_label,
            loss=scores.loss_of(task),
        )
        for name, predictions in zip(baseline_names(task, part), answers, strict=True)
    }


def to_beat(task: Task, found: Baselines, clips: str = "test") -> str:
    """Return one line for the screen: what a network must be better than on a part's clips."""
    part = found.parts.get(clips)
    if part is None:
        return f"no baselines: {found.skipped or f'there are no {clips} clips'}"
    metric = judged_by(task.experiment)
    names = baseline_names(task, part)
    shown = [
        f"{metrics[metric]:.3f} ({name})"
        for name, metrics in zip(names, (part.majority, part.regression.metrics), strict=True)
        if metrics.get(metric) is not None
    ]
    return f"to beat: {words(metric)} {', '.join(reversed(shown))}"


def _digest(task: Task, parts: _Parts) -> str:
    experiment = task.experiment
    fields = {
        "clips": task.clips.digest(),
        "parts": {name: _sha256(part) for name, part in parts.items()},
        "features": experiment.features.model_dump(mode="json"),
        "balanced": experiment.training.final.balanced,
        "loss": scores.loss_of(task),
        "seed": experiment.seed,
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _sha256(indices: Sequence[Indices]) -> list[str]:
    return [hashlib.sha256(each.tobytes()).hexdigest() for each in indices]
