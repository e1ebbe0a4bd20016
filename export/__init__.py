"""Keras models to TFLite files: conversion, size prediction and the checks on the file itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

if __name__ != "kerasnas.export":
    raise ImportError(f"this package is kerasnas.export; it was imported as {__name__}")

_HOMES = {
    "benchmark": "timing",
    "CheckFailed": "errors",
    "ExportError": "errors",
    "ExportSettings": "settings",
    "export": "pipeline",
    "WaveformFrontEnd": "waveforms.front_end",
    "from_keras": "network.ops",
    "layer_errors": "check.layer_error",
    "load": "check.interpreter",
    "predict_bytes": "network.size",
    "stratified": "calibration",
    "WaveformInput": "waveforms.file",
    "with_front_end": "waveforms.prepend",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
