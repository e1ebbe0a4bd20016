"""What the arguments of an export have to be, whatever the model is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from .arrays import Floats
from .errors import ExportError
from .forms import TaskKind
from .settings import ExportSettings
from .tuned import require_packages
from .waveforms.file import WaveformInput


def validate(
    directory: Path,
    task: TaskKind,
    train: tuple[Floats, Any] | None,
    waveform: WaveformInput | None,
    settings: ExportSettings,
    calibration: Floats | None,
    test: tuple[Floats | None, Any],
) -> None:
    """Refuse arguments that do not go together; see `kerasnas.export.export` for what they are.

    Raises:
        ExportError: The message names the argument and the remedy.
    """
    if task not in get_args(TaskKind):
        raise ExportError(f"task={task!r} is not known: use {', '.join(get_args(TaskKind))}")
    if settings.waveform and waveform is None:
        raise ExportError("files that take the waveform need the front end, in waveform=")
    if waveform is not None and settings.recurrent == "step":
        raise ExportError(
            "a file of one step takes no waveform: leave the waveform out, or take another "
            "recurrent form than step"
        )
    if task == "sequence" and (waveform is not None or settings.recurrent == "step"):
        raise ExportError(
            "task='sequence' gives scores of frames, which neither a waveform nor the recurrent "
            "form step can do: leave them out"
        )
    if settings.target == "tflm" and settings.recurrent == "step":
        raise ExportError(
            "a file of one step, whose states are inputs and outputs, is not run in TensorFlow "
            "Lite Micro yet: take another recurrent form than step, or the target phone"
        )
    if settings.target == "tflm" and "int8" not in settings.formats:
        raise ExportError(
            "the target tflm takes integer files alone: add int8 to the formats, or take the "
            "target phone"
        )
    if settings.arena_bytes is not None and settings.target != "tflm":
        raise ExportError(
            "the limit of the arena is for the target tflm: set that, or leave the limit out"
        )
    if settings.tuned and train is None:
        raise ExportError(
            "sparsity, qat and clusters need training clips and labels to fine-tune on, in "
            "train=(x, y)"
        )
    asked = [
        name for name in ("sparsity", "qat", "clusters") if getattr(settings, name) is not None
    ]
    if len(asked) > 1:
        raise ExportError(
            f"{' and '.join(asked)} exclude each other: one kind of fine-tuning would undo the "
            "other; leave one out"
        )
    if "int8" in settings.formats and calibration is None:
        raise ExportError(
            "the format int8 needs training clips that set its ranges, in calibration=: give some "
            "dozens, or leave int8 out of the formats"
        )
    if test[0] is None and (test[1] is not None or waveform is not None):
        raise ExportError("test_y= and waveform= need the test clips, in test_x=")
    require_packages(settings)
    _check_writable(directory)


def _check_writable(directory: Path) -> None:
    """See that files can be written to `directory`, which need not be there and is not made."""
    there = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ExportError(f"{directory} cannot be written to: {there} is no directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ExportError(
            f"{directory} cannot be written to: {there} is read-only, give another directory"
        )
