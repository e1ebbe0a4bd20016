"""The forms that a file can have, from best to last, and converting to one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ExportError
from ..forms import INTEGERS, Form, Format, Recurrent
from ..keras_model.custom import CustomCode
from ..keras_model.private import calls_of
from ..keras_model.recurrent import recurrent_layers
from ..network.loop_size import loops_bytes, unrolled_bytes
from ..network.ops import from_keras
from ..network.size import predict_bytes
from ..process.child import run_module
from ..settings import ExportSettings

CALIBRATION = "calibration.npy"
_FEW_STEPS = 32
"""Up to how many steps are written out unasked: in an integer file each takes some 5 KB."""
_MARGIN = 0.02
"""Of a file's bytes: predictions are off by less, and less is not worth another form."""


class Candidate(NamedTuple):
    """A form to try, and how recurrent layers compute in it, if there are any."""

    form: Form
    recurrent: Recurrent | None = None

    def __str__(self) -> str:
        return self.form if self.recurrent is None else f"{self.form} with {self.recurrent}"


_FORMS: dict[Format, tuple[Form, ...]] = {
    "float16": ("float16",),
    "int8": ("full_int8", "int16", "int8_weights"),
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


def candidates(model: Any, format_: Format, settings: ExportSettings) -> list[Candidate]:
    """Return the forms to try: those of integers alone first, among equals the smallest."""
    layers = recurrent_layers(model)
    if not layers:
        return [Candidate(form) for form in _FORMS[format_]]
    if settings.recurrent in ("step", "fused_lstm"):
        return [Candidate(form, settings.recurrent) for form in _FORMS[format_] if form != "int16"]
    forms: dict[str | None, Candidate] = {each.recurrent: each for each in _RECURRENT[format_]}
    if settings.recurrent in forms:
        return [forms[settings.recurrent]]
    if settings.recurrent == "int8_loop":
        return [forms["while"]]
    # A layer may be called more than once, with a mask or first states behind its input, or only
    # by a layer around it, which tells nothing.
    calls = [node.input_tensors[0] for layer in layers for node in calls_of(layer)]
    unroll = forms["unroll"]
    if max((x.shape[1] for x in calls), default=_FEW_STEPS + 1) > _FEW_STEPS:
        del forms["unroll"]
    elif _is_smaller_unrolled(model, unroll.form):
        forms = {"unroll": unroll, **forms}
    return list(forms.values())


def _is_smaller_unrolled(model: Any, form: Form) -> bool:
    """Return whether a file is predicted to be smaller with every frame written out."""
    try:
        ops = from_keras(model)
        whole = predict_bytes(ops, form)
    except ExportError:  # layers whose bytes cannot be predicted
        return False
    return loops_bytes(ops, form) - unrolled_bytes(ops, form) > _MARGIN * whole


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
    integer = candidate.form in INTEGERS
    stock = output.with_suffix(".json")
    run_module(
        "kerasnas.export.convert.program",
        {
            "model": str(model),
            "name": name or str(model),
            "custom": (custom or CustomCode()).to_json(),
            "form": candidate.form,
            "recurrent": candidate.recurrent,
            "output": str(output),
            "stock": str(stock),
            "calibration": str(scratch / CALIBRATION) if integer else None,
        },
        what=f"converting {name or model} to {candidate}",
        time_limit=limits.time_limit,
        memory_limit=limits.memory_limit,
    )
    return json.loads(stock.read_text(encoding="utf-8"))
