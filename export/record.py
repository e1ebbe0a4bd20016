"""What `export.json` says of an export and of each of its files."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .arrays import Floats
from .check.checks import TEST_CLIPS, FileCheck, worst
from .check.interpreter import latency
from .check.layer_table import layer_table
from .check.networks import StepNetwork
from .convert.lowering import Candidate
from .errors import ExportError
from .files import file_name, sha256
from .forms import Format
from .ladder import Examined, Reference
from .network.model_ops import from_keras
from .network.size import predict_bytes
from .settings import ExportSettings
from .tuned import Tuned, gzip_bytes

if TYPE_CHECKING:
    import keras

SCHEMA = 1


def describe_files(
    examined: dict[Format, Examined],
    reference: Reference,
    tuned: Tuned | None,
    unfused: dict[str, dict[str, Any]],
    settings: ExportSettings,
) -> dict[str, dict[str, Any]]:
    """Return the entries of the written files, by format.

    Args:
        examined: The files, by format.
        reference: What they were made of and held against.
        tuned: What fine-tuning made of it, for `without_tuning`; None without.
        unfused: By format, figures of files whose LSTM layers are not fused, for
            `without_fusing`, where there are any.
        settings: What was required.
    """
    entries: dict[str, dict[str, Any]] = {}
    for name, file in examined.items():
        entries[name] = {
            **_entry(file, file_name(name), reference.network.model, settings),
            "without_tuning": None if tuned is None else tuned.without[name],
            "without_fusing": unfused.get(name),
            "waveform": None if file.waveform is None else file.waveform.entry,
            "micro": None if file.micro is None else file.micro.entry,
            "larger": None,
            "slow": _slow(file),
            "layers": _layers(file, reference),
        }
    if {"float16", "int8"} <= set(entries):
        entries["int8"]["larger"] = _larger(entries["int8"], entries["float16"])
    return entries


def _layers(file: Examined, reference: Reference) -> list[dict[str, Any]]:
    """Return what each layer costs; nothing of a file of one step, which has other outputs."""
    if file.candidate.recurrent == "step":
        return []
    model, path = reference.network.model, file.network.path
    return layer_table(model, path, reference.examples, file.measured.delegation)


def _larger(int8: dict[str, Any], float16: dict[str, Any]) -> str | None:
    """Say why an integer file is larger than that of floats, and None where it is not."""
    if int8["bytes"] <= float16["bytes"]:
        return None
    reason = "the scales of its channels take more bytes than its few weights save"
    if int8["recurrent"] == "unroll":
        reason = "its recurrent layers are written out, frame by frame"
    elif int8["form"] == "int8_weights":
        reason = "what makes its weights floats again takes more bytes than they save"
    return (
        f"{int8['file']} has {int8['bytes']:,} bytes and {float16['file']} {float16['bytes']:,}: "
        f"{reason}; where bytes alone count, take {float16['file']}"
    )


def _slow(file: Examined) -> str | None:
    """Say why a file takes longer than its multiply-accumulates tell, and None where it does not.

    Measured one operator at a time; see `docs/recurrent.md`.
    """
    form, recurrent, _ = file.candidate
    if recurrent == "int8_loop":
        what, remedy = "its loops have gates and states of int16", "set recurrent to while"
    elif form == "int16":
        what, remedy = "it computes in int16", "fine-tune with rounded weights (qat) for int8"
    elif form == "int4":
        what, remedy = "it has convolutions with kernels of 4 bits", "leave int4 out"
    else:
        return None
    return (
        f"{what}, for which the runtime has no kernels of XNNPACK: where milliseconds count more "
        f"than bytes, compare latency_ms with the float16 file's, and {remedy}"
    )


def describe(
    reference: Reference,
    files: dict[str, dict[str, Any]],
    checks: list[FileCheck],
    tuned: Tuned | None,
    calibration: Floats | None,
    classes: tuple[str, ...] | None,
    settings: ExportSettings,
) -> dict[str, Any]:
    """Return the whole report.

    Args:
        reference: The model that was given.
        files: From `describe_files`.
        checks: Of all files.
        tuned: What fine-tuning made of the model; None without.
        calibration: Clips that set the integer ranges; None where none were given.
        classes: Names of the outputs; None where none were given.
        settings: What was required.
    """
    given = reference.compare(reference.scores)
    return {
        "schema": SCHEMA,
        "task": reference.task,
        "classes": None if classes is None else list(classes),
        "input_shape": list(reference.network.input_shape),
        "clips": {
            "test": reference.clips if reference.held_on == TEST_CLIPS else 0,
            "calibration": 0 if calibration is None else len(calibration),
        },
        "held_on": reference.held_on,
        "accuracy": {"keras": given.accuracy}
        | {name: entry["accuracy"] for name, entry in files.items()},
        "tuning": None if tuned is None else tuned.entry,
        "files": files,
        "checks": [check.to_json() for check in checks],
        "verdict": worst(checks),
        "settings": settings.model_dump(mode="json"),
        "versions": _versions(),
        "machine": platform.machine(),
    }


def _entry(
    examined: Examined, name: str, model: keras.Model, settings: ExportSettings
) -> dict[str, Any]:
    measured, (form, recurrent, _) = examined.measured, examined.candidate
    facts, network = measured.facts, examined.network
    median, high = latency(network.interpreter, settings.latency_runs)
    bytes_ = _predicted(model, examined.candidate)
    return {
        "file": name,
        "sha256": sha256(network.path.read_bytes()),
        "form": form,
        "recurrent": recurrent,
        "keeps_state": facts.keeps_state,
        "step_frames": network.frames if isinstance(network, StepNetwork) else 0,
        "failed_forms": list(examined.failures),
        "bytes": facts.bytes,
        "gzip_bytes": gzip_bytes(network.path),
        "stock_bytes": examined.stock_bytes,
        "counted_bytes": measured.counted,
        "budget": settings.budget,
        "rule": settings.rule,
        "verdict": worst([check for check in examined.checks if check.file == name]),
        "predicted_bytes": bytes_,
        "prediction_error": None if bytes_ is None else bytes_ / facts.bytes - 1,
        "operators": facts.operators,
        "float_operators": facts.float_operators,
        "delegated": measured.delegation.to_json(),
        "minimum_runtime": facts.minimum_runtime,
        **measured.parity.to_json(),
        "latency_ms": {"median": median, "p95": high, "threads": 1},
    }


def _predicted(model: keras.Model, candidate: Candidate) -> int | None:
    """Return the predicted bytes of a file; None where they cannot be predicted."""
    try:
        return predict_bytes(from_keras(model), candidate.form, candidate.recurrent)
    except ExportError:
        return None


def _versions() -> dict[str, str]:
    names = ("ai-edge-litert", "keras", "numpy", "tensorflow")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
