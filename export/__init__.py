"""Keras models to TFLite files: conversion, size prediction and the checks on the file itself."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .calibration import stratified
    from .check.interpreter import load
    from .check.layer_error import layer_errors
    from .errors import CheckFailed, ExportError
    from .files import verify
    from .network.model_ops import from_keras
    from .network.size import predict_bytes
    from .pipeline import export
    from .result import ExportResult
    from .settings import ExportSettings
    from .timing import benchmark
    from .waveforms.file import WaveformInput
    from .waveforms.front_end import WaveformFrontEnd
    from .waveforms.prepend import with_front_end

if __name__ != "kerasnas.export":
    raise ImportError(f"this package is kerasnas.export; it was imported as {__name__}")

__all__ = [
    "CheckFailed",
    "ExportError",
    "ExportResult",
    "ExportSettings",
    "WaveformFrontEnd",
    "WaveformInput",
    "benchmark",
    "export",
    "from_keras",
    "layer_errors",
    "load",
    "predict_bytes",
    "stratified",
    "verify",
    "with_front_end",
]

_HOMES = {
    "benchmark": "timing",
    "CheckFailed": "errors",
    "ExportError": "errors",
    "ExportResult": "result",
    "ExportSettings": "settings",
    "export": "pipeline",
    "from_keras": "network.model_ops",
    "layer_errors": "check.layer_error",
    "load": "check.interpreter",
    "predict_bytes": "network.size",
    "stratified": "calibration",
    "verify": "files",
    "WaveformFrontEnd": "waveforms.front_end",
    "WaveformInput": "waveforms.file",
    "with_front_end": "waveforms.prepend",
}
if not TYPE_CHECKING:  # a type checker would take any name for a public one

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used, so that the package itself costs nothing."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted(__all__)
