"""Exporting trained networks, with their front end, labels and checks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kerasnas import experiment as experiments
from kerasnas import features
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import CheckFailed
from kerasnas.export.settings import ExportSettings, Lowering, OnFail
from kerasnas.files import read_json, write_json
from kerasnas.flow.opening import read_experiment, run_of
from kerasnas.flow.task import scores, task
from kerasnas.flow.task.task import Indices, Task
from kerasnas.flow.task.waveform import waveform_input
from kerasnas.flow.task.winners import description_of, winners_of
from kerasnas.report import write as write_report
from kerasnas.report.html.formats import form

_CALIBRATE_AMONG = 20_000
"""Training clips that calibration clips are chosen among, evenly spaced: labels of all might not
fit into memory."""

_MADE_FROM = "made_from.json"
"""Says what the files of an export were made from; written last, when all of them are there."""

_RESET = "keeps state: call reset_all_variables() before each clip"
_SAYING = {"failed": "check failed", "not proven": "not proven"}


@dataclass(frozen=True)
class Exported:
    """Files of an export.

    Attributes:
        directory: Where they are.
        report: What `export.json` holds.
    """

    directory: Path
    report: dict[str, Any]

    @property
    def files(self) -> dict[str, Path]:
        """Files by precision, `float16` and `int8`."""
        return {
            name: self.directory / entry["file"] for name, entry in self.report["files"].items()
        }

    @property
    def failed(self) -> bool:
        """Whether a check failed although the settings do not say `report`."""
        on_fail = self.report["settings"]["on_fail"]
        return self.report["verdict"] == "failed" and on_fail != "report"

    def lines(self) -> list[str]:
        """A line for each file and for each check that did not pass."""
        entries = self.report["files"]
        tuning = self.report["tuning"]
        return [
            *([] if tuning is None else [_tuning_line(tuning, entries)]),
            *(_file_line(path, entries[name]) for name, path in self.files.items()),
            *(
                _unfused_line(name, entry["without_fusing"])
                for name, entry in entries.items()
                if "without_fusing" in entry
            ),
            *(
                _waveform_line(self.directory, entry)
                for entry in entries.values()
                if "waveform" in entry
            ),
            *(
                f"{_SAYING[check['verdict']]}: {check['message']}"
                for check in self.report["checks"]
                if check["verdict"] in _SAYING
            ),
        ]


def export_run(
    source: Path,
    *,
    experiment: Path | None = None,
    data: Path | None = None,
    output: Path | None = None,
    budget: int | None = None,
    on_fail: OnFail | None = None,
    recurrent: Lowering | None = None,
    waveform: bool | None = None,
    sparsity: float | None = None,
    qat: int | None = None,
    cache: Path | None = None,
    console: Console | None = None,
) -> Exported:
    """Export the chosen network of a run, or a `.keras` file, and check the files.

    Calibration clips come from the clips that a final training trains on, checks are made on the
    test clips.

    Args:
        source: Run directory, or a `.keras` file with one input and one output.
        experiment: Data, front end and export settings; by default that of the run directory.
        data: Directory of the data set, instead of the experiment's.
        output: Where to write; by default `export/` in the run directory, or beside the file.
        budget: Bytes, instead of the experiment's.
        on_fail: Instead of the experiment's.
        recurrent: How recurrent layers compute, instead of the experiment's.
        waveform: Whether to write files that take the waveform, instead of the experiment's.
        sparsity: Share of weights to make zero, with fine-tuning, instead of the experiment's.
        qat: Epochs of quantisation-aware fine-tuning, instead of the experiment's.
        cache: Directory for features.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used.
        ExportError: The model cannot be exported.
    """
    source = Path(source)
    if source.is_dir():
        run, settings = source, read_experiment(source)
        winners = winners_of(source)
        model = source / winners[winners["chosen"]]["directory"] / "model.keras"
    else:
        model, run = source, source.parent
        settings = (
            read_experiment(run_of(source)) if experiment is None else experiments.load(experiment)
        )
    given = {
        "budget": budget,
        "on_fail": on_fail,
        "recurrent": recurrent,
        "waveform": waveform,
        "sparsity": sparsity,
        "qat": qat,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    settings = settings.overridden(data)
    settings = settings.model_copy(update={"export": settings.export.model_copy(update=changed)})
    described = description_of(model)
    loaded = task.load(settings.tuned(described.get("settings", {})), cache=cache)
    train, _, test = loaded.final_parts(described.get("fold"))
    exported = export_model(model, output or run / "export", loaded, train, test, console)
    if source.is_dir() and output is None:
        write_report(source)
    return exported


def export_missing(
    model: Path,
    directory: Path,
    loaded: Task,
    train: Indices,
    test: Indices,
    console: Console,
    on_fail: OnFail | None = None,
) -> Exported:
    """What `export_model` makes of the same arguments: only made where it is not there yet."""
    if _is_there(directory, _made_from(model, _settings(loaded, on_fail), loaded, train, test)):
        return Exported(directory, read_json(directory / "export.json"))
    console.print(f"Exporting {model.parent} to TFLite ...", markup=False)
    return export_model(model, directory, loaded, train, test, console, on_fail)


def export_model(
    model: Path,
    directory: Path,
    loaded: Task,
    train: Indices,
    test: Indices,
    console: Console | None = None,
    on_fail: OnFail | None = None,
) -> Exported:
    """Write the files of one trained network and all that an app needs beside them.

    Args:
        model: A `.keras` file.
        directory: Where to write.
        loaded: The task that it was trained for.
        train: Clips that it was trained on; calibration clips are chosen among them, and
            fine-tuning goes on with them.
        test: Clips that nobody trained on.
        console: Where progress is shown.
        on_fail: Instead of the experiment's.
    """
    from kerasnas.export import export
    from kerasnas.export.calibration import stratified

    console = console or Console(quiet=True)
    settings = _settings(loaded, on_fail)
    front_end = loaded.experiment.features
    golden = features.golden(loaded.clips[int(test[0])].path, front_end)
    waveform = waveform_input(loaded, test, golden) if settings.waveform else None
    among = train[:: 1 + len(train) // _CALIBRATE_AMONG]
    chosen = stratified(loaded.targets[among], settings.calibration_clips, loaded.experiment.seed)
    _forget(directory)
    with console.status("Exporting") as status:
        try:
            result = export(
                model,
                directory,
                calibration=loaded.features[among[chosen]],
                test_x=loaded.features[test],
                test_y=loaded.targets[test],
                classes=loaded.clips.classes,
                task="multi_label" if loaded.clips.multi_label else "single_label",
                train=(loaded.features[among], loaded.targets[among]) if settings.tuned else None,
                settings=settings,
                waveform=waveform,
                progress=status.update,
            )
        except CheckFailed as failure:
            result = failure.result
        thresholds = scores.known_thresholds(model, loaded.clips.classes)
        scores.write_thresholds(thresholds, directory, loaded.clips.classes)
        for name, known in result.scores.items():
            evaluation = scores.score(
                scores.replayed(known), loaded, loaded.examples(test), thresholds
            )
            write_json(
                directory / f"evaluation_{name}.json", scores.to_json(evaluation, loaded, "test")
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
        write_json(directory / _MADE_FROM, _made_from(model, settings, loaded, train, test))
    return Exported(directory, result.report)


def _settings(loaded: Task, on_fail: OnFail | None) -> ExportSettings:
    settings = loaded.experiment.export
    return settings if on_fail is None else settings.model_copy(update={"on_fail": on_fail})


def _made_from(
    model: Path, settings: ExportSettings, loaded: Task, train: Indices, test: Indices
) -> dict[str, Any]:
    """Everything that shapes the files of an export, as JSON."""
    return {
        "schema": 1,
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "clips": loaded.clips.digest(),
        "train": hashlib.sha256(train.tobytes()).hexdigest(),
        "test": hashlib.sha256(test.tobytes()).hexdigest(),
        "seed": loaded.experiment.seed,
        "features": loaded.experiment.features.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
    }


def _is_there(directory: Path, made_from: dict[str, Any]) -> bool:
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


def _tuning_line(tuning: dict[str, Any], entries: dict[str, Any]) -> str:
    changes = "; ".join(
        f"{name} accuracy {without['accuracy']:.3f} to {entry['accuracy']:.3f}, after gzip "
        f"{without['gzip_bytes']:,} to {entry['gzip_bytes']:,} bytes"
        for name, entry in entries.items()
        for without in [entry["without_tuning"]]
    )
    return (
        f"{tuning['file']}: accuracy {tuning['accuracy']:.3f}, {tuning['zeros']['tuned']:.1%} of "
        f"the kernels are zeros; by fine-tuning: {changes}"
    )


def _file_line(path: Path, entry: dict[str, Any]) -> str:
    stock = entry["stock_bytes"]
    beside = "" if stock is None else f" ({stock:,} by the stock converter)"
    return (
        f"{path}: {entry['bytes']:,} bytes{beside}, accuracy {entry['accuracy']:.3f}, agreement "
        f"{entry['agreement']:.3f}, {entry['latency_ms']['median']:.1f} ms a segment; {form(entry)}"
    )


def _unfused_line(name: str, without: dict[str, Any]) -> str:
    return (
        f"{name} without fusing: {without['bytes']:,} bytes, accuracy {without['accuracy']:.3f}, "
        f"agreement {without['agreement']:.3f}; {form(without)}"
    )


def _waveform_line(path: Path, entry: dict[str, Any]) -> str:
    whole = entry["waveform"]
    loads = ""
    if not whole["mediapipe"]:
        kept = whole.get("keeps_state")
        reason = f"{_RESET}, as MediaPipe does not" if kept else "MediaPipe loads no loops"
        loads = f"; {reason}: export.recurrent: unroll"
    return (
        f"{path / whole['file']}: {whole['bytes']:,} bytes ({whole['front_end_bytes']:,} of them "
        f"the front end), accuracy {whole['accuracy']:.3f}, agreement {whole['agreement']:.3f}, "
        f"{whole['latency_ms']['median']:.1f} ms a clip{loads}"
    )
