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
from numpy.typing import NDArray

from kerasnas.export.calibration import calibration_examples, flat_examples
from kerasnas.export.checks import Check, Parity, Task, check_file, compare
from kerasnas.export.errors import CheckFailed, ExportError
from kerasnas.export.forms import PREDICTED, Form
from kerasnas.export.interpreter import KerasNetwork, TfliteNetwork, load
from kerasnas.export.lowering import CALIBRATION, Lowered, lower_first
from kerasnas.export.model_file import check_model, load_keras
from kerasnas.export.ops import from_keras
from kerasnas.export.settings import ExportSettings, Format
from kerasnas.export.size import predict_bytes
from kerasnas.export.tflite_file import read_facts

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
    scores: dict[str, NDArray[np.float32]]


def export(
    model: keras.Model | str | Path,
    directory: str | Path,
    *,
    calibration: NDArray[np.float32],
    test_x: NDArray[np.float32],
    test_y: NDArray[np.float32],
    classes: Sequence[str],
    task: Task = "single_label",
    settings: ExportSettings | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ExportResult:
    """Write `model_float16.tflite`, `model_int8.tflite`, `labels.txt` and `export.json`.

    Each conversion runs in a child process with limits; every figure of the report is measured on
    the written file.

    Args:
        model: A functional Keras model with one input of known shape and one output of scores, or
            its `.keras` file.
        directory: Where to write; made if missing. Files of the same names are replaced.
        calibration: Training clips for the integer ranges, `(clips, *input shape)` or
            `(clips, segments, *input shape)`, of which one segment a clip is used; `stratified`
            chooses clips.
        test_x: Clips nobody trained or calibrated on, of such a shape; a clip's score is the mean
            over its segments.
        test_y: Their labels, `(clips, classes)`.
        classes: Names of the outputs, in order.
        task: One label a clip, or several.
        settings: Formats, budget, agreement floor, limits.
        progress: Called with a line before each slow step.

    Returns:
        The report, as in `export.json`, and each file's scores.

    Raises:
        ExportError: The model or the data cannot be used, or a conversion failed; nothing is
            written.
        CheckFailed: A check failed and `settings.on_fail` is `fail`; all files are written.
    """
    settings = settings or ExportSettings()
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{directory} cannot be written to: {error.strerror}") from None
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as temporary:
        scratch = Path(temporary)
        network = _network(model, scratch)
        labels = _check_labels(network, test_x, test_y, classes)
        shape = network.input_shape
        examples = flat_examples(test_x, shape, "test clips")
        if "int8" in settings.formats:
            np.save(scratch / CALIBRATION, calibration_examples(calibration, shape))
        progress("Scoring the test clips with the Keras model")
        reference = network.predict(examples)
        if not np.isfinite(reference).all():
            raise ExportError(f"{network.path.name} gives scores that are not finite: train again")
        keras_parity = compare(reference, reference, labels, task)
        predicted = _predictions(network.model)
        lowered: dict[Format, Lowered] = {}
        for name in settings.formats:
            lowered[name] = lower_first(network, name, scratch, settings, progress)
        # All or nothing: a failed conversion leaves the files of an earlier export together.
        _write(directory / "labels.txt", "".join(f"{name}\n" for name in classes).encode())
        files: dict[str, Any] = {}
        scores: dict[str, NDArray[np.float32]] = {}
        checks: list[Check] = []
        for name, made in lowered.items():
            path = directory / f"model_{name}.tflite"
            _write(path, made.path.read_bytes())
            progress(f"Checking {path.name} on {len(labels)} clips")
            written = load(path)
            assert isinstance(written, TfliteNetwork)
            scores[name] = written.predict(examples)
            parity = compare(scores[name], reference, labels, task)
            files[name], results = _describe(
                written, made, parity, _is_stateless(written, examples), predicted, settings
            )
            checks += results
    report = {
        "schema": SCHEMA,
        "task": task,
        "classes": list(classes),
        "input_shape": list(shape),
        "clips": {"test": len(labels), "calibration": len(calibration)},
        "accuracy": {"keras": keras_parity.accuracy}
        | {name: file["accuracy"] for name, file in files.items()},
        "files": files,
        "checks": [check.to_json() for check in checks],
        "passed": all(check.passed for check in checks),
        "settings": settings.model_dump(mode="json"),
        "versions": _versions(),
        "machine": platform.machine(),
    }
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    _write(directory / "export.json", text.encode())
    result = ExportResult(report, scores)
    failed = [check.message for check in checks if not check.passed]
    if failed and settings.on_fail == "fail":
        raise CheckFailed(
            "\n".join([*failed, f"The files stay in {directory} for inspection."]), result
        )
    return result


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


def _check_labels(
    network: KerasNetwork,
    test_x: NDArray[np.float32],
    test_y: NDArray[np.float32],
    classes: Sequence[str],
) -> NDArray[np.float32]:
    if len(classes) != network.outputs:
        raise ExportError(
            f"{len(classes)} labels ({', '.join(classes)}) were given for a model with "
            f"{network.outputs} outputs: give one for each, in order"
        )
    if any("\n" in name or not name for name in classes) or len(set(classes)) != len(classes):
        raise ExportError(f"labels must be different lines of text, not {list(classes)}")
    labels = np.asarray(test_y, np.float32)
    if labels.shape != (len(test_x), len(classes)):
        raise ExportError(
            f"the labels of the test clips have shape {labels.shape}, not (clips, classes) = "
            f"{(len(test_x), len(classes))}"
        )
    return labels


def _is_stateless(network: TfliteNetwork, examples: NDArray[np.float32]) -> bool:
    """Whether a clip's scores are the same bits after another clip, without a reset."""
    first, other = examples[0], examples[-1][::-1]
    before, _, after = network.predict(np.stack([first, other, first]))
    return np.array_equal(before, after, equal_nan=True)


def _describe(
    network: TfliteNetwork,
    made: Lowered,
    parity: Parity,
    stateless: bool,
    predicted: dict[Form, int],
    settings: ExportSettings,
) -> tuple[dict[str, Any], list[Check]]:
    """The report's entry for one written file, and its checks."""
    path = network.path
    facts = read_facts(path)
    checks = check_file(path.name, made.form, facts, parity, stateless, settings)
    median, high = network.latency(settings.latency_runs)
    bytes_ = predicted.get(made.form) if made.recurrent in PREDICTED.get(made.form, ()) else None
    return {
        "file": path.name,
        "form": made.form,
        "recurrent": made.recurrent,
        "failed_forms": list(made.failures),
        "bytes": facts.bytes,
        "budget": settings.budget,
        "rule": settings.rule,
        "verdict": "passed" if all(check.passed for check in checks) else "failed",
        "predicted_bytes": bytes_,
        "prediction_error": None if bytes_ is None else bytes_ / facts.bytes - 1,
        "operators": facts.operators,
        "float_operators": facts.float_operators,
        "minimum_runtime": facts.minimum_runtime,
        "largest_difference": parity.largest_difference,
        "agreement": parity.agreement,
        "accuracy": parity.accuracy,
        "latency_ms": {"median": median, "p95": high, "threads": 1},
    }, checks


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
    """Write beside `path` and rename, so that nobody sees half a file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}") from None
