"""The forms that a file can have, from best to last, and converting to one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ExportError, counted
from ..forms import CALIBRATED, Form, Format, Recurrent
from ..keras_model.custom import CustomCode
from ..keras_model.private import calls_of
from ..keras_model.recurrent import recurrent_layers
from ..network.model_ops import from_keras
from ..network.size import predict_bytes
from ..process.child import run_module
from ..settings import ExportSettings

CALIBRATION = "calibration.npy"
_FEW_STEPS = 32
"""Up to how many steps are written out unasked: in an integer file each takes some 5 KB."""
_MARGIN = 0.02
"""Of a file's bytes: predictions are off by less, and less is not worth another form."""


class Candidate(NamedTuple):
    """A form to try.

    Attributes:
        form: It.
        recurrent: How recurrent layers compute in it, if there are any.
        floats: Of the form `mixed`, how many operators it leaves in float; see `convert.mixed`.
    """

    form: Form
    recurrent: Recurrent | None = None
    floats: int = 0

    def __str__(self) -> str:
        name = self.form if self.recurrent is None else f"{self.form} with {self.recurrent}"
        return f"{name}, {counted(self.floats, 'operator')} in float" if self.floats else name


_FORMS: dict[Format, tuple[Candidate, ...]] = {
    "float16": (Candidate("float16"),),
    "int8": (Candidate("full_int8"), Candidate("int16"), Candidate("int8_weights")),
}
_RECURRENT: dict[Format, tuple[Candidate, ...]] = {
    "float16": (Candidate("float16", "while"), Candidate("float16", "unroll")),
    "int8": (
        Candidate("full_int8", "int8_loop"),
        Candidate("full_int8", "unroll"),
        Candidate("int8_weights", "while"),
    ),
}
"""Of networks with recurrent layers, unless they are fused or make one step alone."""
_APART = ("step", "fused_lstm")
"""Recurrent forms that are converted in ways of their own."""
_FLOATS = (1, 2, 4, 8)
"""Operators in float of the form `mixed`, one try after another."""


def candidates(model: Any, format_: Format, settings: ExportSettings) -> list[Candidate]:
    """Return the forms to try: those of integers alone first, among equals the smallest."""
    forms = _with_mixed(_whole_forms(model, format_, settings), settings)
    if settings.int4 and forms[0].form == "full_int8" and forms[0].recurrent not in _APART:
        return [Candidate("int4", forms[0].recurrent), *forms]
    return forms


def _whole_forms(model: Any, format_: Format, settings: ExportSettings) -> list[Candidate]:
    """Return the forms to try, without those that mix integers and floats."""
    layers = recurrent_layers(model)
    if settings.recurrent == "step" or (layers and settings.recurrent == "fused_lstm"):
        forms = [each.form for each in _FORMS[format_]]
        return [Candidate(form, settings.recurrent) for form in forms if form != "int16"]
    if not layers:
        return list(_FORMS[format_])
    named: dict[str | None, Candidate] = {each.recurrent: each for each in _RECURRENT[format_]}
    if settings.recurrent in named:
        return [named[settings.recurrent]]
    if settings.recurrent == "int8_loop":
        return [named["while"]]
    # A layer may be called more than once, with a mask or first states behind its input, or only
    # by a layer around it, which tells nothing.
    calls = [node.input_tensors[0] for layer in layers for node in calls_of(layer)]
    unroll = named["unroll"]
    if max((x.shape[1] for x in calls), default=_FEW_STEPS + 1) > _FEW_STEPS:
        del named["unroll"]
    elif _is_smaller_unrolled(model, unroll.form):
        named = {"unroll": unroll, **named}
    return list(named.values())


def _with_mixed(forms: list[Candidate], settings: ExportSettings) -> list[Candidate]:
    """Put integers with a few floats between integers alone and floats with int8 weights.

    Microcontrollers get none: TensorFlow Lite Micro has no weights in float16.
    """
    if len(forms) < 2 or forms[-1].form != "int8_weights" or settings.target == "tflm":
        return forms
    if forms[0].recurrent in _APART:
        return forms
    mixed = [Candidate("mixed", forms[0].recurrent, count) for count in _FLOATS]
    return [*forms[:-1], *mixed, forms[-1]]


def _is_smaller_unrolled(model: Any, form: Form) -> bool:
    """Return whether a file is predicted to be smaller with every frame written out."""
    try:
        ops = from_keras(model)
        loops = predict_bytes(ops, form)
        return loops - predict_bytes(ops, form, "unroll") > _MARGIN * loops
    except ExportError:  # layers whose bytes cannot be predicted
        return False


def require_lstm(layers: list[Any]) -> None:
    """Refuse recurrent layers that cannot be fused, or a network without any.

    Raises:
        ExportError: The message names the first layer.
    """
    from keras import layers as keras_layers

    remedy = "leave the setting recurrent at auto"
    if not layers:
        raise ExportError(f"the network has no LSTM layer for fused_lstm: {remedy}")
    for layer in layers:
        both = isinstance(layer, keras_layers.Bidirectional)
        for inner in (layer.forward_layer, layer.backward_layer) if both else (layer,):
            if type(inner) is not keras_layers.LSTM:
                raise ExportError(
                    f"the recurrent layer {layer.name!r} ({type(inner).__name__}) is no LSTM "
                    f"layer, as fused_lstm needs: {remedy}"
                )


def convert_candidate(
    model: Path,
    candidate: Candidate,
    output: Path,
    scratch: Path,
    limits: ExportSettings,
    name: str | None = None,
    custom: CustomCode | None = None,
) -> int | None:
    """Convert in a child process.

    Args:
        model: What to convert, a `.keras` file.
        candidate: The form.
        output: The file to write.
        scratch: A directory, with the calibration clips for an integer file.
        limits: Of a conversion.
        name: What to call the model in messages; its path by default.
        custom: Code that it needs beside Keras's own.

    Returns:
        The bytes of the stock converter's file, None where it makes none.

    Raises:
        ExportError: This form does not convert.
    """
    integer = candidate.form in CALIBRATED
    stock = output.with_suffix(".json")
    run_module(
        "kerasnas.export.convert.program",
        {
            "model": str(model),
            "name": name or str(model),
            "custom": (custom or CustomCode()).to_json(),
            "form": candidate.form,
            "recurrent": candidate.recurrent,
            "floats": candidate.floats,
            "output": str(output),
            "stock": str(stock),
            "calibration": str(scratch / CALIBRATION) if integer else None,
        },
        what=f"converting {name or model} to {candidate}",
        time_limit=limits.time_limit,
        memory_limit=limits.memory_limit,
    )
    return json.loads(stock.read_text(encoding="utf-8"))
