"""Conversion of a `.keras` file to one `.tflite` file: a program, run in a process of its own.

`TFLiteConverter` leaks memory, and some networks kill it; see `kerasnas.export.child`. Usage:
`python -m kerasnas.export.convert REQUEST ERROR`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasnas.export.child import REFUSED
from kerasnas.export.errors import ExportError
from kerasnas.export.forms import Form, Recurrent
from kerasnas.export.loops import convert_integers
from kerasnas.export.model_file import check_model, load_keras
from kerasnas.export.recurrent import unrolled
from kerasnas.export.stock import convert_stock

if TYPE_CHECKING:
    import keras


def convert(
    model: keras.Model,
    form: Form,
    calibration: np.ndarray | None = None,
    recurrent: Recurrent | None = None,
) -> bytes:
    """A `.tflite` file of a functional model, with a batch of one.

    Args:
        model: One input of known shape.
        form: `float16` stores constants in float16 and computes in float32; `int8_weights` stores
            weights in int8 and computes products with them in int8, all else in float32.
            `full_int8` computes in integers alone; the input and the output stay float32, so that
            an application hands over features and reads scores without knowing scales.
        calibration: For `full_int8`, `(examples, *input shape)`.
        recurrent: How recurrent layers compute, where there are any: step after step written out
            (`unroll`), or else in a loop, the converter's (`while`) or, in `full_int8`, of which
            the converter dies, one of integers (`int8_loop`).

    Raises:
        ExportError: The converter has no such operators.
    """
    if recurrent == "unroll":
        model = unrolled(model)
    if form != "full_int8":
        return convert_stock(model, form)
    assert calibration is not None
    return convert_integers(model, calibration, loops=recurrent != "unroll")


def main(request: Path, error: Path) -> int:
    """Convert as `request` says; 0, or `REFUSED` when the file `error` says why not.

    Args:
        request: JSON of `model` (a `.keras` file), `form`, `recurrent` (null for a network without
            such layers), `output` (the `.tflite` file to write) and `calibration` (a `.npy` file of
            float32 `(examples, *input shape)`, or null).
        error: Text file.
    """
    todo = json.loads(request.read_text(encoding="utf-8"))
    path = Path(todo["model"])
    try:
        model = load_keras(path)
        check_model(model, "the model")
        calibration = np.load(todo["calibration"]) if todo["calibration"] else None
        content = convert(model, todo["form"], calibration, todo["recurrent"])
    except ExportError as refusal:
        error.write_text(f"{path} as {todo['form']}: {refusal}", encoding="utf-8")
        return REFUSED
    Path(todo["output"]).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
