"""From a Keras model to `.tflite` files, and a report of what was checked on the files."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Floats
from .calibration import calibration_examples, checked_labels, flat_examples
from .check.checks import TaskKind, compare, worst
from .check.interpreter import KerasNetwork, latency
from .convert.lowering import CALIBRATION, require_lstm
from .errors import CheckFailed, ExportError
from .forms import PREDICTED, Form
from .keras_model.model_file import check_model, load_keras
from .keras_model.recurrent import recurrent_layers
from .ladder import Examined, Reference, climb_down
from .network.ops import from_keras
from .network.size import predict_bytes
from .settings import ExportSettings
from .tuned import TUNED, Tuned, figures, gzip_bytes, require_packages, tune
from .waveforms.file import WaveformInput, waveform_name

if TYPE_CHECKING:
    import keras

SCHEMA = 1


@dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        report: What `export.json` holds.
        scores: Of the test segments, by format, `(clips * segments, classes)`.
    """

    report: dict[str, Any]
    scores: dict[str, Floats]


def export(
    model: keras.Model | str | Path,
    directory: str | Path,
    *,
    calibration: Floats,
    test_x: Floats,
    test_y: Floats,
    classes: Sequence[str],
    task: TaskKind = "single_label",
    train: tuple[Floats, Floats] | None = None,
    settings: ExportSettings | None = None,
    waveform: WaveformInput | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ExportResult:
    """Write `model_float16.tflite`, `model_int8.tflite`, `labels.txt` and `export.json`.

    With `waveform` also `model_float16_waveform.tflite` and `model_int8_waveform.tflite`: the same
    files with their front end before them.

    Each conversion runs in a child process with limits; every figure of the report is measured on
    the written file.

    Args:
        model: A functional Keras model with one input of known shape and one output of scores, or
            its `.keras` file. One of mixed precision is taken as computing in float32.
        directory: Where to write; made if missing, and only once there is something to write. Files
            of the same names are replaced.
        calibration: Training clips for the integer ranges, `(clips, *input shape)` or
            `(clips, segments, *input shape)`, of which one segment a clip is used; `stratified`
            chooses clips. Values beyond what these clips reach saturate, also scores without a
            softmax or sigmoid.
        test_x: Clips nobody trained or calibrated on, of such a shape; a clip's score is the mean
            over its segments.
        test_y: Their labels, `(clips, classes)`.
        classes: Names of the outputs, in order.
        task: One label a clip, or several.
        train: Clips to fine-tune on, as `calibration`, and their labels `(clips, classes)`; needed
            where `settings` ask for it, by `sparsity` or `qat`. The files then hold the fine-tuned
            model, `model_tuned.keras`, and are held against it, and it against `model`.
        settings: Formats, budget, agreement floor, limits.
        waveform: The front end of files that take the waveform, and what to check them on.
        progress: Called with a line before each slow step.

    Returns:
        The report, as in `export.json`, and each file's scores.

    Raises:
        ExportError: The model or the data cannot be used, or a conversion failed; nothing is
            written.
        CheckFailed: A check failed and `settings.on_fail` is not `report`; all files are written.
    """
    settings = settings or ExportSettings()
    if settings.waveform and waveform is None:
        raise ExportError("export.waveform: say in the argument waveform what the front end is")
    if waveform is not None and settings.recurrent == "step":
        raise ExportError(
            "a file of one frame takes no waveform: leave export.waveform out, or take another "
            "export.recurrent than step"
        )
    if settings.tuned and train is None:
        raise ExportError(
            "export.sparsity and export.qat: give training clips and labels in the argument "
            "train, to fine-tune on"
        )
    require_packages(settings)
    if settings.sparsity is not None and settings.qat is not None:
        raise ExportError(
            "export.sparsity and export.qat exclude each other: training with rounded weights "
            "would fill the zeros again; leave one out"
        )
    directory = Path(directory)
    _check_writable(directory)
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as temporary:
        scratch = Path(temporary)
        network = _network(model, scratch)
        if settings.recurrent == "fused_lstm":
            require_lstm(recurrent_layers(network.model))
        _check_classes(network, classes)
        labels = checked_labels(test_y, len(test_x), len(classes), "test clips")
        shape = network.input_shape
        examples = flat_examples(test_x, shape, "test clips")
        if "int8" in settings.formats:
            np.save(scratch / CALIBRATION, calibration_examples(calibration, shape))
        progress("Scoring the test clips with the Keras model")
        reference = network.predict(examples)
        if not np.isfinite(reference).all():
            raise ExportError(f"{network.path.name} gives scores that are not finite: train again")
        keras_parity = compare(reference, reference, labels, task)
        against = Reference(network, examples, reference, labels, task, waveform)
        tuned: Tuned | None = None
        if settings.tuned:
            assert train is not None
            tuned = tune(against, *train, scratch, settings, progress)
            against = tuned.reference
        unfused: dict[str, dict[str, Any]] = {}
        if settings.recurrent == "fused_lstm":
            loops = settings.model_copy(update={"recurrent": "auto"})
            unfused = figures(against, scratch, loops, progress)
        predicted = _predictions(against.network.model)
        made = {
            name: climb_down(against, name, scratch, settings, progress)
            for name in settings.formats
        }
        # All or nothing: a failed conversion leaves the files of an earlier export together.
        _write(directory / "labels.txt", "".join(f"{name}\n" for name in classes).encode())
        if tuned is None:
            (directory / TUNED).unlink(missing_ok=True)  # of an earlier export
        else:
            _write(directory / TUNED, tuned.reference.network.path.read_bytes())
        files: dict[str, Any] = {}
        for name, examined in made.items():
            path = directory / f"model_{name}.tflite"
            _write(path, examined.network.path.read_bytes())
            files[name] = _entry(examined, path.name, predicted, settings)
            if tuned is not None:
                files[name]["without_tuning"] = tuned.without[name]
            if name in unfused:
                files[name]["without_fusing"] = unfused[name]
            whole = directory / waveform_name(name)
            if examined.waveform is None:
                whole.unlink(missing_ok=True)  # of an earlier export, of another network
            else:
                files[name]["waveform"] = examined.waveform.entry
                _write(whole, examined.waveform.content)
    checks = [check for examined in made.values() for check in examined.checks]
    if tuned is not None:
        checks.append(tuned.check)
    scores: dict[str, Floats] = {name: examined.scores for name, examined in made.items()}
    report = {
        "schema": SCHEMA,
        "task": task,
        "classes": list(classes),
        "input_shape": list(shape),
        "clips": {"test": len(labels), "calibration": len(calibration)},
        "accuracy": {"keras": keras_parity.accuracy}
        | {name: file["accuracy"] for name, file in files.items()},
        "tuning": None if tuned is None else tuned.entry,
        "files": files,
        "checks": [check.to_json() for check in checks],
        "verdict": worst(checks),
        "settings": settings.model_dump(mode="json"),
        "versions": _versions(),
        "machine": platform.machine(),
    }
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    _write(directory / "export.json", text.encode())
    result = ExportResult(report, scores)
    failed = [check.message for check in checks if check.verdict == "failed"]
    if failed and settings.on_fail != "report":
        raise CheckFailed(
            "\n".join([*failed, f"The files stay in {directory} for inspection."]), result
        )
    return result


def _check_writable(directory: Path) -> None:
    """See that files can be written to `directory`, which need not be there and is not made."""
    there = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ExportError(f"{directory} cannot be written to: {there} is no directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ExportError(
            f"{directory} cannot be written to: {there} is read-only, give another directory"
        )


def _network(model: keras.Model | str | Path, scratch: Path) -> KerasNetwork:
    """The model with its file: a model in memory is saved to `scratch` first."""
    if isinstance(model, str | Path):
        path = Path(model).absolute()
        loaded = load_keras(path)
        check_model(loaded, str(model))
        return KerasNetwork(path, loaded)
    check_model(model, "the model")
    path = scratch / "model.keras"
    model.save(path)
    return KerasNetwork(path, load_keras(path))


def _check_classes(network: KerasNetwork, classes: Sequence[str]) -> None:
    if len(classes) != network.outputs:
        raise ExportError(
            f"{len(classes)} labels ({', '.join(classes)}) were given for a model with "
            f"{network.outputs} outputs: give one for each, in order"
        )
    if any("\n" in name or not name for name in classes) or len(set(classes)) != len(classes):
        raise ExportError(f"labels must be different lines of text, not {list(classes)}")


def _entry(
    examined: Examined, name: str, predicted: dict[Form, int], settings: ExportSettings
) -> dict[str, Any]:
    """The report's entry for one written file."""
    measured, (form, recurrent) = examined.measured, examined.candidate
    facts, parity, delegation = measured.facts, measured.parity, measured.delegation
    median, high = latency(examined.network.interpreter, settings.latency_runs)
    bytes_ = predicted.get(form) if recurrent in PREDICTED.get(form, ()) else None
    return {
        "file": name,
        "form": form,
        "recurrent": recurrent,
        "keeps_state": facts.keeps_state,
        "failed_forms": list(examined.failures),
        "bytes": facts.bytes,
        "gzip_bytes": gzip_bytes(examined.network.path),
        "stock_bytes": examined.stock_bytes,
        "counted_bytes": measured.counted,
        "budget": settings.budget,
        "rule": settings.rule,
        "verdict": worst([check for check in examined.checks if check.file == name]),
        "predicted_bytes": bytes_,
        "prediction_error": None if bytes_ is None else bytes_ / facts.bytes - 1,
        "operators": facts.operators,
        "float_operators": facts.float_operators,
        "delegated": delegation.to_json(),
        "minimum_runtime": facts.minimum_runtime,
        "largest_difference": parity.largest_difference,
        "agreement": parity.agreement,
        "accuracy": parity.accuracy,
        "accuracy_drop": {"mean": parity.drop, "bounds": list(parity.drop_bounds)},
        "latency_ms": {"median": median, "p95": high, "threads": 1},
    }


def _predictions(model: keras.Model) -> dict[Form, int]:
    """Predicted bytes by form; empty for a network whose size cannot be predicted."""
    try:
        ops = from_keras(model)
        return {form: predict_bytes(ops, form) for form in PREDICTED}
    except ExportError:
        return {}


def _versions() -> dict[str, str]:
    names = ("ai-edge-litert", "keras", "numpy", "tensorflow")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def _write(path: Path, content: bytes) -> None:
    """Write beside `path` and rename, so that nobody sees half a file; make its directory."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}") from None
