"""`kerasnas export`: the chosen network of a run, or a `.keras` file, as checked TFLite files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from kerasnas import experiment as experiments
from kerasnas.errors import KerasnasError
from kerasnas.export.forms import Lowering, OnFail, Target
from kerasnas.export.settings import ExportSettings
from kerasnas.flow.commands.streams.tune import keep_to_rate
from kerasnas.flow.stages.export_network import describe_origin, export_network
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task.opening import read_experiment, run_of
from kerasnas.flow.task.task import load_task
from kerasnas.paths import StrPath, path_or_none
from kerasnas.report import write as write_report
from kerasnas.runs.layout import ExportPaths, RunPaths, TrainingPaths
from kerasnas.runs.run import chosen_training, description_of


def export_run(
    source: StrPath,
    *,
    experiment: StrPath | None = None,
    data: StrPath | None = None,
    output: StrPath | None = None,
    budget: int | None = None,
    on_fail: OnFail | None = None,
    recurrent: Lowering | None = None,
    target: Target | None = None,
    int4: bool | None = None,
    waveform: bool | None = None,
    sparsity: float | None = None,
    qat: int | None = None,
    clusters: int | None = None,
    cache: StrPath | None = None,
    console: Console | None = None,
) -> Exported:
    """Export the chosen network of a run, or a `.keras` file, and check the files.

    Calibration clips come from the clips that a final training trains on, checks are made on the
    test clips.

    Args:
        source: Run directory, or a `.keras` file with one input and one output.
        experiment: Data, front end and export settings; by default that of the run directory.
        data: Directory of the data set; overrides `data.root`.
        output: Where to write; by default `export/` in the run directory, or beside the file.
        budget: Largest size of a file in bytes; overrides `export.budget`.
        on_fail: What a failed check does; overrides `export.on_fail`.
        recurrent: How recurrent layers compute; overrides `export.recurrent`.
        target: Where the int8 file must run; overrides `export.target`.
        int4: Whether to try kernels of 4 bits first; overrides `export.int4`.
        waveform: Whether to write files that take the waveform; overrides the experiment.
        sparsity: Share of weights to make zero, with fine-tuning; overrides the experiment.
        qat: Epochs of quantisation-aware fine-tuning; overrides the experiment.
        clusters: Most different weights of a kernel, with fine-tuning; overrides the experiment.
        cache: Directory for features.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used.
        ExportError: The model cannot be exported.
    """
    given = {
        "budget": budget,
        "on_fail": on_fail,
        "recurrent": recurrent,
        "target": target,
        "int4": int4,
        "waveform": waveform,
        "sparsity": sparsity,
        "qat": qat,
        "clusters": clusters,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    _check_options(changed)
    source = Path(source)
    if source.is_dir():
        settings = read_experiment(source)
        model, paths = chosen_training(source).model, RunPaths(source).export
    else:
        model, paths = source, TrainingPaths(source.parent).export
        settings = (
            read_experiment(run_of(source))
            if experiment is None
            else experiments.load(Path(experiment))
        )
    described = description_of(model)
    settings = settings.overridden(path_or_none(data))
    if described is not None:
        settings = settings.tuned(described.settings)
    task = load_task(settings, path_or_none(cache))
    train, _, test = task.final_parts(None if described is None else described.fold)
    exported = export_network(
        model,
        paths if output is None else ExportPaths(Path(output)),
        task,
        train,
        test,
        describe_origin(model, settings.export, task, train, test, changed),
        console or Console(quiet=True),
    )
    if source.is_dir() and output is None:
        exported = keep_to_rate(source, exported, console or Console(quiet=True))
        write_report(source)
    return exported


def _check_options(options: Mapping[str, Any]) -> None:
    """See that options can be settings, before data are loaded.

    Raises:
        KerasnasError: Naming the first that cannot.
    """
    try:
        ExportSettings.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise KerasnasError(f"{name}: {first['msg']}, not {first['input']!r}") from None
