"""How a file computes, and what its scores are."""

from __future__ import annotations

from typing import Literal, get_args

Form = Literal["float32", "float16", "int8_weights", "mixed", "int16", "int4", "full_int8"]
"""Arithmetic of a file; see `kerasnas.export.convert.program.convert`."""

Recurrent = Literal["int8_loop", "while", "unroll", "step", "fused_lstm"]
"""How recurrent layers compute in a file; see there."""

TaskKind = Literal["single_label", "multi_label", "binary", "regression", "sequence"]
"""What a model's outputs are; see `kerasnas.export.check.parity`."""

Format = Literal["float16", "int8"]
"""A file that an export writes; its form is the best of those that pass the checks."""

Precision = Literal["float32", "float16", "int8"]
"""What scores are of: the Keras model, or one of its files."""

PRECISIONS: tuple[str, ...] = get_args(Precision)

Lowering = Literal["auto", "int8_loop", "while", "unroll", "step", "fused_lstm"]
"""How recurrent layers shall compute; `auto` takes the first whose checks pass."""

OnFail = Literal["next-form", "error", "report"]
"""What a failed check does."""

Target = Literal["phone", "tflm"]
"""What a file has to run on."""

Rule = Literal["file", "dcase2020", "float32_params"]
"""How bytes are counted; see `kerasnas.export.check.budget.counted_bytes`."""

INTEGERS: tuple[Form, ...] = ("full_int8", "int16", "int4")
"""Forms that compute in integers alone."""

CALIBRATED: tuple[Form, ...] = (*INTEGERS, "mixed")
"""Forms that need clips which set the ranges of their integers."""
