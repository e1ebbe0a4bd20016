"""Neural architecture search for small audio models: recordings in, proven TFLite files out.

The calls of the command line, from Python: `search`, `train`, `evaluate`, `predict`, `export_run`,
`tune_decisions`, `mine`, `package_run`, `write_report` and `init`. `export_model` exports any Keras
model; the package `kerasnas.export` has the rest of what exporting needs, and `kerasnas.tuners` the
oracles.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasnas import export, tuners
    from kerasnas.errors import KerasnasError
    from kerasnas.experiment import Experiment
    from kerasnas.export.pipeline import export as export_model
    from kerasnas.flow.commands.evaluate import evaluate
    from kerasnas.flow.commands.export import export_run
    from kerasnas.flow.commands.init import init
    from kerasnas.flow.commands.predict import predict
    from kerasnas.flow.commands.search import search
    from kerasnas.flow.commands.sharing.package import package_run
    from kerasnas.flow.commands.streams.mine import mine
    from kerasnas.flow.commands.streams.tune import tune_decisions
    from kerasnas.flow.commands.train import train
    from kerasnas.report import write as write_report

__version__ = "0.1.0"

__all__ = [
    "Experiment",
    "KerasnasError",
    "__version__",
    "evaluate",
    "export",
    "export_model",
    "export_run",
    "init",
    "mine",
    "package_run",
    "predict",
    "search",
    "train",
    "tune_decisions",
    "tuners",
    "write_report",
]

_HOMES = {
    "Experiment": "kerasnas.experiment:Experiment",
    "KerasnasError": "kerasnas.errors:KerasnasError",
    "evaluate": "kerasnas.flow.commands.evaluate:evaluate",
    "export": "kerasnas.export:",
    "export_model": "kerasnas.export.pipeline:export",
    "export_run": "kerasnas.flow.commands.export:export_run",
    "init": "kerasnas.flow.commands.init:init",
    "mine": "kerasnas.flow.commands.streams.mine:mine",
    "package_run": "kerasnas.flow.commands.sharing.package:package_run",
    "predict": "kerasnas.flow.commands.predict:predict",
    "search": "kerasnas.flow.commands.search:search",
    "train": "kerasnas.flow.commands.train:train",
    "tune_decisions": "kerasnas.flow.commands.streams.tune:tune_decisions",
    "tuners": "kerasnas.tuners:",
    "write_report": "kerasnas.report:write",
}

if not TYPE_CHECKING:  # a type checker would take any name for a public one

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used, so that `import kerasnas` costs nothing."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        found = import_module(module)
        return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted(__all__)
