"""Keras models to TFLite files: conversion, size prediction and the checks on the file itself."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibration import stratified as stratified
    from .check.interpreter import load as load
    from .check.layer_error import layer_errors as layer_errors
    from .errors import CheckFailed as CheckFailed
    from .errors import ExportError as ExportError
    from .files import verify as verify
    from .network.ops import from_keras as from_keras
    from .network.size import predict_bytes as predict_bytes
    from .pipeline import export as export
    from .result import ExportResult as ExportResult
    from .settings import ExportSettings as ExportSettings
    from .timing import benchmark as benchmark
    from .waveforms.file import WaveformInput as WaveformInput
    from .waveforms.front_end import WaveformFrontEnd as WaveformFrontEnd
    from .waveforms.prepend import with_front_end as with_front_end

if __name__ != "kerasnas.export":
    raise ImportError(f"this package is kerasnas.export; it was imported as {__name__}")

_HOMES = {
    "benchmark": "timing",
    "CheckFailed": "errors",
    "ExportError": "errors",
    "ExportResult": "result",
    "ExportSettings": "settings",
    "export": "pipeline",
    "from_keras": "network.ops",
    "layer_errors": "check.layer_error",
    "load": "check.interpreter",
    "predict_bytes": "network.size",
    "stratified": "calibration",
    "verify": "files",
    "WaveformFrontEnd": "waveforms.front_end",
    "WaveformInput": "waveforms.file",
    "with_front_end": "waveforms.prepend",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Show public names, also those that nobody has used yet."""
    return sorted({*globals(), *__all__})
