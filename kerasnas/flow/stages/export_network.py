"""Exporting trained networks, with their front end, labels and checks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from kerasnas import features
from kerasnas.errors import DamagedError, KerasnasError
from kerasnas.export.errors import CheckFailed, ExportError
from kerasnas.export.files import verify
from kerasnas.export.forms import OnFail
from kerasnas.export.settings import ExportSettings
from kerasnas.files import digest
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Indices, Task
from kerasnas.flow.task.waveform import waveform_input
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import Evaluation, Export, FrontEndDescription, MadeFrom, Thresholds
from kerasnas.runs.run import read_labels

_CALIBRATE_AMONG = 20_000
"""Training clips that calibration clips are chosen among, evenly spaced: labels of all might not
fit into memory."""


def export_missing(
    session: Session,
    model: Path,
    paths: ExportPaths,
    train: Indices,
    test: Indices,
    on_fail: OnFail | None = None,
) -> Exported:
    """Export a network as `export_network` does, unless its export is there already, and whole.

    An export that `export_run` made there with options of its own stays, as long as everything
    else is as it was. Damaged and missing files are said, and made again with the same options.
    """
    task = session.task
    settings = task.experiment.export
    if on_fail is not None:
        settings = settings.model_copy(update={"on_fail": on_fail})
    made_from = describe_origin(model, settings, task, train, test)
    stored = session.intact(MadeFrom, paths.made_from)
    if stored is not None and replace(stored, options={}, whole=True) == made_from:
        made_from = replace(made_from, options=stored.options)
        report = _known(session, paths, model) if stored.whole else None
        if report is not None:
            return Exported(paths.path, report)
    options = "".join(f", {name} {value}" for name, value in made_from.options.items())
    session.console.print(f"Exporting {model.parent} to TFLite{options} ...", markup=False)
    return export_network(model, paths, task, train, test, made_from, session.console)


def export_network(
    model: Path,
    paths: ExportPaths,
    task: Task,
    train: Indices,
    test: Indices,
    made_from: MadeFrom,
    console: Console,
) -> Exported:
    """Write the files of one trained network and all that an app needs beside them.

    Args:
        model: A `.keras` file.
        paths: Where to write.
        task: The task that it was trained for.
        train: Clips that it was trained on; calibration clips are chosen among them, and
            fine-tuning goes on with them.
        test: Clips that nobody trained on.
        made_from: How to export; kept with the files, so that `export_missing` knows them again.
        console: Where progress is shown.
    """
    from kerasnas.export import export
    from kerasnas.export.calibration import stratified

    settings = ExportSettings.model_validate({**made_from.settings, **made_from.options})
    front_end = task.experiment.features
    golden = features.golden(front_end)
    waveform = waveform_input(task, test, golden) if settings.waveform else None
    among = train[:: 1 + len(train) // _CALIBRATE_AMONG]
    chosen = stratified(task.targets[among], settings.calibration_clips, task.experiment.seed)
    _begin(paths)
    with console.status("Exporting") as status:
        try:
            result = export(
                model,
                paths.path,
                calibration=task.features[among[chosen]],
                test_x=task.features[test],
                test_y=task.targets[test],
                classes=task.clips.classes,
                task="multi_label" if task.clips.multi_label else "single_label",
                train=(task.features[among], task.targets[among]) if settings.tuned else None,
                settings=settings,
                waveform=waveform,
                parameters=_parameters(features.describe(front_end)),
                progress=status.update,
            )
        except CheckFailed as failure:
            result = failure.result
        report = Export.of(result.report)
        report.write(paths.report)
        thresholds = scores.read_thresholds(model, task.clips.classes)
        scores.write_thresholds(thresholds, paths, task.clips.classes)
        for name, known in result.scores.items():
            evaluation = scores.score(scores.replay(known), task, task.examples(test), thresholds)
            scores.record(evaluation, task, "test").write(paths.evaluation(name))
        described = front_end.model_dump(mode="json"), features.describe(front_end), golden
        FrontEndDescription(*described).write(paths.front_end)
        made_from.write(paths.made_from)  # last, when all files are there
    return Exported(paths.path, report)


def _parameters(described: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Return what a header says of a front end: its parameters that are single values."""
    kinds = (bool, int, float, str)
    return {name: value for name, value in described.items() if isinstance(value, kinds)}


def describe_origin(
    model: Path,
    settings: ExportSettings,
    task: Task,
    train: Indices,
    test: Indices,
    options: Mapping[str, Any] | None = None,
) -> MadeFrom:
    """Return what the files of an export are made from.

    Args:
        model: A `.keras` file.
        settings: Those that hold for the run.
        task: The task that the model was trained for.
        train: Clips that it was trained on.
        test: Clips that nobody trained on.
        options: What `export_run` was given in the place of settings.
    """
    return MadeFrom(
        model=digest(model),
        clips=task.clips.digest(),
        train=hashlib.sha256(train.tobytes()).hexdigest(),
        test=hashlib.sha256(test.tobytes()).hexdigest(),
        seed=task.experiment.seed,
        features=task.experiment.features.model_dump(mode="json"),
        settings=settings.model_dump(mode="json", include=set(ExportSettings.model_fields)),
        options=dict(options or {}),
    )


def _known(session: Session, paths: ExportPaths, model: Path) -> Export | None:
    """Return the report of an export that was made from the same; None where it is not whole."""
    report = session.intact(Export, paths.report)
    if report is None or not _has_files(session, paths, report):
        return None
    beside = [session.intact(Evaluation, paths.evaluation(name)) for name in report.files]
    if any(record is None for record in beside):
        return None
    if session.intact(FrontEndDescription, paths.front_end) is None:
        return None
    chosen = scores.read_thresholds(model, report.classes) is not None
    if chosen and session.intact(Thresholds, paths.thresholds) is None:
        return None
    return report


def _has_files(session: Session, paths: ExportPaths, report: Export) -> bool:
    """Whether files and labels are those that a report tells of; what is not is said."""
    try:
        for name in report.checksums:
            verify(paths.path / name)
        if read_labels(paths) == report.classes:
            return True
        fault = f"{paths.labels} does not hold the classes of {paths.report}"
    except (ExportError, KerasnasError) as error:
        fault = str(error)
    session.console.print(f"The export is not whole: {fault}", markup=False)
    return False


def _begin(paths: ExportPaths) -> None:
    """See that an earlier export is not taken for whole while its files are written again.

    Its options stay, in case that nothing comes of the new one.
    """
    for stale in (paths.postprocessing, paths.postprocessing_header):
        stale.unlink(missing_ok=True)  # of another network's scores
    try:
        if paths.made_from.exists():
            replace(MadeFrom.read(paths.made_from), whole=False).write(paths.made_from)
    except DamagedError:
        paths.made_from.unlink()
