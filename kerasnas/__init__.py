"""Neural architecture search for small audio models: recordings in, proven TFLite files out.

The calls of the command line, from Python: `search`, `train`, `evaluate`, `predict`, `export_run`,
`write_report` and `init`. The package `kerasnas.export` exports any Keras model;
`kerasnas.tuners` has the oracles.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Experiment": ("kerasnas.experiment", "Experiment"),
    "KerasnasError": ("kerasnas.errors", "KerasnasError"),
    "evaluate": ("kerasnas.flow.commands.evaluate", "evaluate"),
    "export_run": ("kerasnas.flow.commands.export", "export_run"),
    "init": ("kerasnas.flow.commands.init", "init"),
    "predict": ("kerasnas.flow.commands.predict", "predict"),
    "search": ("kerasnas.flow.commands.search", "search"),
    "train": ("kerasnas.flow.commands.train", "train"),
    "write_report": ("kerasnas.report", "write"),
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import kerasnas` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
