"""Choosing the form of a file: the first, from best to last, that converts and fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kerasnas.export.child import run_module
from kerasnas.export.errors import ExportError
from kerasnas.export.forms import Form, Recurrent
from kerasnas.export.interpreter import KerasNetwork
from kerasnas.export.recurrent import recurrent_layers
from kerasnas.export.settings import ExportSettings, Format

CALIBRATION = "calibration.npy"
_FEW_STEPS = 32
"""Up to how many steps are written out unasked: in an integer file each takes some 5 KB."""


class Candidate(NamedTuple):
    """A form to try, and how recurrent layers compute in it, if there are any."""

    form: Form
    recurrent: Recurrent | None = None

    def __str__(self) -> str:
        return self.form if self.recurrent is None else f"{self.form} with {self.recurrent}"


class Lowered(NamedTuple):
    """A converted file.

    Attributes:
        path: Where it is.
        form: How it computes.
        recurrent: How its recurrent layers do; None where there are none.
        failures: What came of the forms that were tried before it.
    """

    path: Path
    form: Form
    recurrent: Recurrent | None
    failures: tuple[str, ...]


def candidates(model: Any, format_: Format, settings: ExportSettings) -> list[Candidate]:
    """The forms to try for a model, best first."""
    layers = recurrent_layers(model)
    if not layers:
        return [Candidate("float16" if format_ == "float16" else "full_int8")]
    if format_ == "float16":
        forms = {
            "while": Candidate("float16", "while"),
            "unroll": Candidate("float16", "unroll"),
        }
    else:
        forms = {
            "int8_loop": Candidate("full_int8", "int8_loop"),
            "unroll": Candidate("full_int8", "unroll"),
            "while": Candidate("int8_weights", "while"),
        }
    if settings.recurrent in forms:
        return [forms[settings.recurrent]]
    if settings.recurrent == "int8_loop":
        return [forms["while"]]
    steps = [layer.input.shape[1] for layer in layers]
    if max(steps) > _FEW_STEPS:
        del forms["unroll"]
    return list(forms.values())


def lower_first(
    network: KerasNetwork,
    format_: Format,
    scratch: Path,
    settings: ExportSettings,
    progress: Callable[[str], None],
) -> Lowered:
    """Convert a network in the best form that the converter survives and that fits the budget.

    Args:
        network: What to convert.
        format_: The file's format.
        scratch: A directory, with the calibration clips for an integer file.
        settings: How to treat recurrent layers; the budget; limits of a conversion.
        progress: Called with a line before each conversion.

    Returns:
        The first file within the budget; where none is, the smallest.

    Raises:
        ExportError: No form converts.
    """
    made: list[Lowered] = []
    failures: list[str] = []
    for candidate in candidates(network.model, format_, settings):
        path = scratch / f"{format_}_{candidate.form}_{candidate.recurrent}.tflite"
        progress(f"Converting to {candidate}")
        try:
            _convert(network.path, candidate, path, scratch, settings)
        except ExportError as error:
            failures.append(str(error))
            continue
        made.append(Lowered(path, *candidate, tuple(failures)))
        if (bytes_ := path.stat().st_size) <= settings.budget:
            return made[-1]
        failures.append(f"{candidate} has {bytes_:,} bytes")
    if not made:
        raise ExportError("\n".join(failures))
    return min(made, key=lambda lowered: lowered.path.stat().st_size)


def _convert(
    model: Path, candidate: Candidate, output: Path, scratch: Path, settings: ExportSettings
) -> None:
    """Convert in a child process."""
    integer = candidate.form == "full_int8"
    run_module(
        "kerasnas.export.convert",
        {
            "model": str(model),
            "form": candidate.form,
            "recurrent": candidate.recurrent,
            "output": str(output),
            "calibration": str(scratch / CALIBRATION) if integer else None,
        },
        what=f"converting {model} to {candidate}",
        time_limit=settings.time_limit,
        memory_limit=settings.memory_limit,
    )
