"""How a file computes, and what its scores are."""

from __future__ import annotations

from typing import Literal

Form = Literal["float32", "float16", "int8_weights", "mixed", "int16", "int4", "full_int8"]
"""Arithmetic of a file; see `kerasnas.export.convert.program.convert`."""

Recurrent = Literal["int8_loop", "while", "unroll", "step", "fused_lstm"]
"""How recurrent layers compute in a file; see there."""

TaskKind = Literal["single_label", "multi_label", "binary", "regression", "sequence"]
"""What a model's outputs are; see `kerasnas.export.check.parity`."""

Rule = Literal["file", "dcase2020", "float32_params"]
"""How bytes are counted; see `kerasnas.export.check.budget.counted_bytes`."""

INTEGERS: tuple[Form, ...] = ("full_int8", "int16", "int4")
"""Forms that compute in integers alone."""

CALIBRATED: tuple[Form, ...] = (*INTEGERS, "mixed")
"""Forms that need clips which set the ranges of their integers."""
