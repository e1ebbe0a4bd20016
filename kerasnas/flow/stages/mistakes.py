"""The chosen network's mistakes on held-out clips, kept in the run for the report.

Pictures of the features are always kept, parts of the recordings only where `report.audio` asks
for them. They stay in the run directory: no card and no exported file holds any.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas import export
from kerasnas.features.embedding_settings import Embedding
from kerasnas.features.settings import Spectrogram
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task.excerpts import Excerpt, evidence, excerpt, within
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.records import Evaluation, ExcerptEntry, Excerpts
from kerasnas.training.review.mistakes import Mistake, mistakes

_MOST = 36
"""Clips in all: more would not be looked through."""


def keep_mistakes(session: Session, training: TrainingPaths, exported: Exported) -> Excerpts:
    """Write `excerpts.json`, unless it holds these clips already.

    Args:
        session: With the task that the network was trained for.
        training: Its final training, scored on the test clips.
        exported: Its files, one of which tells where a clip of several segments goes wrong.

    Raises:
        KerasnasError: A recording cannot be read, or the evaluation is damaged.
    """
    audio, path = session.experiment.report.audio, session.paths.excerpts
    evaluation = Evaluation.read(training.evaluation)
    origin = json.dumps([evaluation.to_json()["digest"], audio])
    made_from = hashlib.sha256(origin.encode()).hexdigest()
    known = session.intact(Excerpts, path)
    if known is not None and known.made_from == made_from:
        return known
    with session.console.status("Keeping the network's mistakes"):
        found = make_excerpts(session.task, evaluation, exported, audio, made_from)
    found.write(path)
    return found


def make_excerpts(
    task: Task, evaluation: Evaluation, exported: Exported, audio: bool, made_from: str
) -> Excerpts:
    """Return the clips that a network gets worst, with their sound where it is wanted."""
    several = task.clips.multi_label
    thresholds = (evaluation.by_class or {}).get("threshold")
    listed = mistakes(
        evaluation.labels,
        evaluation.predictions.astype(np.float32),
        multi_label=several,
        thresholds=thresholds,
    )[:_MOST]
    position = {clip.id: index for index, clip in enumerate(task.clips)}
    clips = [position[evaluation.ids[each.row]] for each in listed]
    heard = _heard(task, listed, clips, exported) if audio else []
    entries = []
    for number, (each, clip) in enumerate(zip(listed, clips, strict=True)):
        sound = heard[number] if number < len(heard) else None
        entries.append(
            ExcerptEntry(
                task.clips[clip].id,
                _name(task, each.label),
                _name(task, each.answer),
                each.score,
                None if sound is None else sound.start,
                None if sound is None else sound.stop,
                None if sound is None else base64.b64encode(sound.mp3).decode(),
                _picture(task, clip),
            )
        )
    return Excerpts(made_from, audio, _wrong(evaluation, thresholds), tuple(entries))


def _heard(
    task: Task, listed: Sequence[Mistake], clips: Sequence[int], exported: Exported
) -> list[Excerpt]:
    """Return parts of the first recordings, as many as a page has room for."""
    front_end = task.experiment.features
    if not isinstance(front_end, Spectrogram | Embedding) or not listed:
        return []
    where: list[tuple[float, float] | None] = [None] * len(listed)
    file = next(iter(exported.files.values()), None)
    if file is not None and task.features.shape[1] > 1:
        where = _evidence(task, listed, clips, file)
    made = (
        excerpt(task.clips[clip].path, front_end, part)
        for clip, part in zip(clips, where, strict=True)
    )
    return list(within(made))


def _evidence(
    task: Task, listed: Sequence[Mistake], clips: Sequence[int], file: Path
) -> list[tuple[float, float] | None]:
    front_end = task.experiment.features
    assert isinstance(front_end, Spectrogram | Embedding)
    network = export.load(file)
    found = []
    for each, clip in zip(listed, clips, strict=True):
        speaking = each.label if each.answer is None else each.answer
        assert speaking is not None  # a mistake has a label or an answer
        segments = np.asarray(task.features[clip], np.float32)
        found.append(evidence(network.predict(segments), speaking, front_end))
    return found


def _picture(task: Task, clip: int) -> str | None:
    """Return the features of a clip's segments side by side, as base64 text of a PNG file."""
    segments: NDArray[Any] = np.asarray(task.features[clip], np.float32)
    if isinstance(task.experiment.features, Embedding) or segments.ndim < 4:
        return None
    from matplotlib.image import imsave

    values = np.concatenate(list(segments[..., 0]))  # (frames, bins) of the first channel
    buffer = io.BytesIO()
    imsave(buffer, values.T, format="png", cmap="magma", origin="lower")
    return base64.b64encode(buffer.getvalue()).decode()


def _wrong(evaluation: Evaluation, thresholds: NDArray[np.float64] | None) -> int:
    if evaluation.confusion is not None:
        return int(evaluation.confusion.sum() - evaluation.confusion.trace())
    decided = evaluation.predictions >= (0.5 if thresholds is None else thresholds)
    return int((decided != (evaluation.labels > 0.5)).sum())


def _name(task: Task, index: int | None) -> str | None:
    return None if index is None else task.clips.classes[index]
