"""What is wrong with the chosen network and its files, on test clips: said first, everywhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from kerasnas.flow.stages.baselines import evaluations, judged_by
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Indices, Task
from kerasnas.runs.layout import ExportPaths, TrainingPaths
from kerasnas.runs.records import Baselines, Evaluation, FindingEntry, Findings
from kerasnas.runs.records.review import WHOLE
from kerasnas.runs.values import Figures
from kerasnas.training.review.findings import findings
from kerasnas.training.scoring import metrics


def review_exported(
    session: Session,
    training: TrainingPaths,
    exported: Exported,
    baselines: Baselines,
    validation: Figures,
) -> Findings:
    """Return what is wrong with the chosen network and its files, and write `findings.json`.

    Args:
        session: With the task that the network was trained for.
        training: The network's final training.
        exported: Its files.
        baselines: Of the same split.
        validation: Metrics by which the network was chosen.
    """
    export = ExportPaths(exported.directory)
    paths = {WHOLE: training.evaluation}
    paths |= {name: export.evaluation(name) for name in exported.files}
    train, early, _ = session.task.final_parts(None)
    found = review(session.task, paths, np.union1d(train, early), baselines, validation)
    if session.intact(Findings, session.paths.findings) != found:
        found.write(session.paths.findings)
    return found


def review(
    task: Task,
    paths: dict[str, Path],
    train: Indices,
    baselines: Baselines,
    validation: Figures | None = None,
) -> Findings:
    """Return what is wrong with a network in some precisions.

    Args:
        task: That the network was trained for.
        paths: Files of the evaluations on test clips, by precision.
        train: Clips that it was trained on.
        baselines: Whose part `test` has the same clips.
        validation: Metrics by which the network was chosen; None where it was not.
    """
    part = baselines.parts.get("test")
    beside = None if part is None else evaluations(task, part)
    known = {name: value for name, value in (validation or {}).items() if value is not None}
    return Findings(
        {
            precision: tuple(
                FindingEntry(**asdict(each))
                for each in findings(
                    _scored(task, Evaluation.read(path)),
                    metric=judged_by(task.experiment),
                    classes=task.clips.classes,
                    trained_on=task.clips.count(train),
                    baselines=beside,
                    validation=known,
                    seed=task.experiment.seed,
                )
            )
            for precision, path in paths.items()
        }
    )


def _scored(task: Task, record: Evaluation) -> metrics.ClipScores:
    """Return the evaluation that a record was made of; its clips are numbered from 0."""
    return metrics.evaluation(
        record.labels.astype(np.float32),
        record.predictions.astype(np.float32),
        np.arange(record.count),
        multi_label=task.clips.multi_label,
        loss=scores.loss_of(task),
        thresholds=(record.by_class or {}).get("threshold"),
    )
