"""Exporting trained networks, with their front end, labels and checks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from kerasnas import features
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import CheckFailed
from kerasnas.export.settings import ExportSettings, OnFail
from kerasnas.files import read_json, write_json
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Indices, Task
from kerasnas.flow.task.waveform import waveform_input

_CALIBRATE_AMONG = 20_000
"""Training clips that calibration clips are chosen among, evenly spaced: labels of all might not
fit into memory."""

_MADE_FROM = "made_from.json"
"""Says what the files of an export were made from; written last, when all of them are there."""


def export_missing(
    session: Session,
    model: Path,
    directory: Path,
    train: Indices,
    test: Indices,
    on_fail: OnFail | None = None,
) -> Exported:
    """Export a network as `export_network` does, unless its export is there already.

    An export that `export_run` made there with settings of its own stays, as long as everything
    else is as it was.
    """
    task = session.task
    settings = task.experiment.export
    if on_fail is not None:
        settings = settings.model_copy(update={"on_fail": on_fail})
    made_from = describe_origin(model, settings, task, train, test)
    if _is_there(directory, made_from):
        return Exported(directory, read_json(directory / "export.json"))
    session.console.print(f"Exporting {model.parent} to TFLite ...", markup=False)
    return export_network(model, directory, task, train, test, settings, made_from, session.console)


def export_network(
    model: Path,
    directory: Path,
    task: Task,
    train: Indices,
    test: Indices,
    settings: ExportSettings,
    made_from: Mapping[str, Any],
    console: Console,
) -> Exported:
    """Write the files of one trained network and all that an app needs beside them.

    Args:
        model: A `.keras` file.
        directory: Where to write.
        task: The task that it was trained for.
        train: Clips that it was trained on; calibration clips are chosen among them, and
            fine-tuning goes on with them.
        test: Clips that nobody trained on.
        settings: How to export.
        made_from: What to keep with the files, so that `export_missing` knows them again.
        console: Where progress is shown.
    """
    from kerasnas.export import export
    from kerasnas.export.calibration import stratified

    front_end = task.experiment.features
    golden = features.golden(task.clips[int(test[0])].path, front_end)
    waveform = waveform_input(task, test, golden) if settings.waveform else None
    among = train[:: 1 + len(train) // _CALIBRATE_AMONG]
    chosen = stratified(task.targets[among], settings.calibration_clips, task.experiment.seed)
    _forget(directory)
    with console.status("Exporting") as status:
        try:
            result = export(
                model,
                directory,
                calibration=task.features[among[chosen]],
                test_x=task.features[test],
                test_y=task.targets[test],
                classes=task.clips.classes,
                task="multi_label" if task.clips.multi_label else "single_label",
                train=(task.features[among], task.targets[among]) if settings.tuned else None,
                settings=settings,
                waveform=waveform,
                progress=status.update,
            )
        except CheckFailed as failure:
            result = failure.result
        thresholds = scores.read_thresholds(model, task.clips.classes)
        scores.write_thresholds(thresholds, directory, task.clips.classes)
        for name, known in result.scores.items():
            evaluation = scores.score(scores.replay(known), task, task.examples(test), thresholds)
            write_json(
                directory / f"evaluation_{name}.json", scores.to_json(evaluation, task, "test")
            )
        write_json(
            directory / "features.json",
            {
                "schema": 1,
                "settings": front_end.model_dump(mode="json"),
                "front_end": features.describe(front_end),
                "golden": golden,
            },
        )
        write_json(directory / _MADE_FROM, made_from)
    return Exported(directory, result.report)


def describe_origin(
    model: Path, settings: ExportSettings, task: Task, train: Indices, test: Indices
) -> dict[str, Any]:
    """Say what the files of an export are made from, as JSON.

    Of the settings it names those that hold for the run: what `export_run` was given besides does
    not count, so that its files stay.
    """
    return {
        "schema": 1,
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "clips": task.clips.digest(),
        "train": hashlib.sha256(train.tobytes()).hexdigest(),
        "test": hashlib.sha256(test.tobytes()).hexdigest(),
        "seed": task.experiment.seed,
        "features": task.experiment.features.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
    }


def _is_there(directory: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether `directory` holds a whole export that was made from the same."""
    path = directory / _MADE_FROM
    if not path.exists() or read_json(path) != made_from:
        return False
    files = Exported(directory, read_json(directory / "export.json")).files.values()
    return all(file.exists() for file in files)


def _forget(directory: Path) -> None:
    """See that `directory` says of no files what they were made from, while they are written."""
    try:
        (directory / _MADE_FROM).unlink(missing_ok=True)
    except OSError as error:
        raise KerasnasError(f"{directory} cannot be written to: {error.strerror}") from None
