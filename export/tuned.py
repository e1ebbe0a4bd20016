"""Fine-tuning before an export: the new model, and what an export otherwise gives."""

from __future__ import annotations

import gzip
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Floats
from .calibration import flat_examples
from .check.checks import FileCheck, accuracy_checks
from .check.interpreter import open_keras
from .check.networks import KerasNetwork
from .check.parity import excludes
from .convert.lowering import CALIBRATION
from .errors import ExportError
from .files import sha256
from .forms import TaskKind
from .keras_model.private import flat_layers
from .labels import dense_labels
from .ladder import Examined, Reference, climb_down
from .micro.runtime import PACKAGE as MICRO
from .process.child import run_module
from .settings import ExportSettings
from .tuning.fine_tune import clustered_kernels, pruned_kernels

TUNED = "model_tuned.keras"
"""Name of the fine-tuned model beside the files made of it."""


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model.

    Attributes:
        reference: It, and its scores of the test clips.
        entry: The report's entry.
        checks: Whether it is as accurate as the model that was given; none without labels.
        without: Of each format, figures of the file of the model that was given.
    """

    reference: Reference
    entry: dict[str, Any]
    checks: list[FileCheck]
    without: dict[str, dict[str, Any]]


def require_packages(settings: ExportSettings) -> None:
    """See that what the settings need of optional packages can be imported.

    Raises:
        ExportError: Naming the package that is missing.
    """
    needed = {
        "sparsity, qat and clusters": (
            settings.tuned,
            ("tf_keras", "tensorflow_model_optimization"),
        ),
        "the recurrent form fused_lstm": (settings.recurrent == "fused_lstm", ("tf_keras",)),
        "the target tflm": (settings.target == "tflm", (MICRO,)),
    }
    for what, (asked, packages) in needed.items():
        for package in packages if asked else ():
            if importlib.util.find_spec(package) is None:
                extra = "micro" if package == MICRO else "tuning"
                raise ExportError(
                    f"{package} is not installed, which is needed for {what}: "
                    f"pip install 'kerasnas[{extra}]'"
                )


def tune(
    given: Reference,
    x: Floats,
    y: Any,
    scratch: Path,
    settings: ExportSettings,
    progress: Callable[[str], None],
) -> Tuned:
    """Fine-tune a model as the settings say, and export it without that, for comparison.

    Args:
        given: The model and its scores.
        x: Training clips, `(clips, *input shape)` or `(clips, segments, *input shape)`.
        y: Their labels; see `kerasnas.export.labels`.
        scratch: A directory, with the calibration clips for an integer file.
        settings: What to do, and limits.
        progress: Called with a line before each slow step.

    Raises:
        ExportError: The data do not fit, the model has layers that cannot be fine-tuned, the child
            process was over a limit, or the model that was given does not convert.
    """
    progress("Fine-tuning")
    network = fine_tuned(given, x, y, scratch, settings)
    scores = network.predict(given.examples)
    parity = given.compare(scores)
    comparison = parity.to_json()
    return Tuned(
        reference=replace(given, network=network, scores=scores),
        entry={
            "file": TUNED,
            "sha256": sha256(network.path.read_bytes()),
            "zeros": {"given": zeros(given.network.model), "tuned": zeros(network.model)},
            "values": {"given": values(given.network.model), "tuned": values(network.model)},
            **{name: comparison[name] for name in ("accuracy", "agreement", "accuracy_drop")},
        },
        checks=accuracy_checks(TUNED, parity, settings),
        without=figures(given, scratch, settings, progress),
    )


def figures(
    reference: Reference,
    scratch: Path,
    settings: ExportSettings,
    progress: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Return figures of the files that settings make, by format, to compare others with.

    Args:
        reference: What to convert.
        scratch: A directory, with the calibration clips for an integer file.
        settings: Of these files.
        progress: Called with a line before each slow step.

    Raises:
        ExportError: No form of a format converts.
    """
    apart = Path(tempfile.mkdtemp(dir=scratch))
    if (scratch / CALIBRATION).exists():
        (apart / CALIBRATION).symlink_to(scratch / CALIBRATION)
    plain = replace(reference, waveform=None, micro=None)
    once = settings.model_copy(update={"repeat": False})
    return {
        name: _figures(climb_down(plain, name, apart, once, progress)) for name in settings.formats
    }


def fine_tuned(
    given: Reference, x: Floats, y: Any, scratch: Path, settings: ExportSettings
) -> KerasNetwork:
    """Fine-tune a network in a child process: `TUNED` in `scratch`; see `tune`."""
    network, task, what = given.network, given.task, "training clips"
    examples = flat_examples(x, network.input_shape, what)
    labels = dense_labels(y, len(x), network.output_shape, task, what)
    np.save(scratch / "train_x.npy", examples)
    np.save(scratch / "train_y.npy", labels.repeat(len(examples) // len(x), axis=0))
    output = scratch / TUNED
    run_module(
        "kerasnas.export.tuning.fine_tune",
        {
            "model": str(network.path),
            "x": str(scratch / "train_x.npy"),
            "y": str(scratch / "train_y.npy"),
            "name": network.name,
            "custom": network.custom.to_json(),
            "loss": _loss(task, excludes(task, given.scores)),
            "sparsity": settings.sparsity,
            "clusters": settings.clusters,
            "epochs": settings.qat or settings.tuning_epochs,
            "learning_rate": settings.tuning_rate,
            "output": str(output),
        },
        what=f"fine-tuning {network.name}",
        time_limit=settings.time_limit,
        memory_limit=settings.memory_limit,
    )
    return open_keras(output, "the fine-tuned model")


def _loss(task: TaskKind, exclusive: bool) -> str:
    if task == "regression":
        return "mean_squared_error"
    return "categorical_crossentropy" if exclusive else "binary_crossentropy"


def zeros(model: Any) -> float:
    """Return the share of zeros in the kernels of a Keras model that pruning takes weights from."""
    kernels = _kernels(model, pruned_kernels)
    total = sum(kernel.size for kernel in kernels)
    return 1 - sum(int(np.count_nonzero(kernel)) for kernel in kernels) / max(total, 1)


def values(model: Any) -> int:
    """Return the most different values that a kernel has which clustering groups."""
    kernels = _kernels(model, clustered_kernels)
    return max((len(np.unique(kernel)) for kernel in kernels), default=0)


def _kernels(model: Any, of_layer: Callable[[Any], list[Any]]) -> list[Floats]:
    kernels = {
        id(kernel): np.asarray(kernel) for layer in flat_layers(model) for kernel in of_layer(layer)
    }
    return list(kernels.values())


def gzip_bytes(path: Path) -> int:
    """Return the bytes of a file after gzip at its best, as stores and downloads count them."""
    return len(gzip.compress(path.read_bytes(), mtime=0))


def _figures(examined: Examined) -> dict[str, Any]:
    measured = examined.measured
    return {
        "form": measured.form,
        "recurrent": examined.candidate.recurrent,
        "bytes": measured.facts.bytes,
        "gzip_bytes": gzip_bytes(examined.network.path),
        "counted_bytes": measured.counted,
        "accuracy": measured.parity.accuracy,
        "agreement": measured.parity.agreement,
    }
