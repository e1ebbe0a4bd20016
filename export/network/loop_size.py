"""Bytes that a recurrent layer takes in a `.tflite` file beyond its weights.

A loop is two graphs of its own, some fifty tensors and twenty operators: their tables are the same
whatever the number of units, and loops that are alike share what they write in the same way. Read
from files of `size.CONVERTER` (float) and of `integer.loop`: one to three layers, of equal and of
different units, in one direction and in two; `benchmarks/files/size_prediction.py --constants`
measures them again. Where every frame is written out instead (`network.steps`), each takes its
tables anew: that is smaller for very few frames.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ExportError
from .ops import RECURRENT, Op


class _Loop(NamedTuple):
    """Pairs are of a loop that gives every frame's state, and of one that gives the last frame's.

    Attributes:
        common: Operators that only loops have, once in a file.
        first: The first loop of its sort.
        another: Each further one of a sort that is there.
        alike: What it shares with a loop of as many units.
        backward: The first loop of a backward direction, beside the forward one.
        another_backward: Each further one.
    """

    common: int
    first: tuple[int, int]
    another: int
    alike: int
    backward: tuple[int, int]
    another_backward: int


_LOOPS = {
    "float32": {
        "gru": _Loop(970, (2706, 2270), 1270, 610, (848, 672), 740),
        "lstm": _Loop(700, (2528, 2060), 1180, 560, (784, 608), 750),
    },
    "float16": {
        "gru": _Loop(1160, (2768, 2300), 1290, 570, (880, 720), 770),
        "lstm": _Loop(850, (2582, 2050), 1200, 500, (832, 720), 800),
    },
    "full_int8": {
        "gru": _Loop(536, (2360, 1852), 1490, 230, (1912, 1600), 952),
        "lstm": _Loop(496, (2208, 1700), 1430, 220, (1768, 1480), 905),
    },
}
_BOTH_KINDS = {"float32": 450, "float16": 400, "full_int8": 174}  # what GRU and LSTM share
# Less is shared where one kind gives every frame's state and the other the last frame's.
_UNLIKE = {"float32": 250, "float16": 390, "full_int8": 230}
_WIDTH = {"float32": 4, "float16": 2, "full_int8": 1}
# Of a kernel of int8 in a loop of floats, beyond its scalars: of one that is multiplied as it is,
# from so many scalars on, and of one that becomes float32 before.
_HYBRID, _LEAST_HYBRID, _DEQUANTIZED = 90, 1024, 45
_NARROWED = 256  # scalars, from which on a kernel can have 4 bits
_RESET_BEFORE = 232  # a second product in the loop of integers
# Of integers, a sum or product of both directions beyond a concatenation: for every frame, which is
# one operator, and for the last one, which is two.
_MERGED = {"float32": (0, 0), "float16": (0, 0), "full_int8": (200, 370)}


def loops_bytes(ops: tuple[Op, ...], form: str) -> int:
    """Return the bytes of all recurrent layers of a network as loops, weights included.

    Raises:
        ExportError: A layer has other loops than those whose lengths are known here.
    """
    layers = [op for op in ops if op.kind in RECURRENT]
    if not layers:
        return 0
    stored = 0
    if form in ("int8_weights", "int4", "int16"):
        form, stored = _narrower(layers, form)
    for op in layers:
        if not op.attributes.get("plain", True):
            raise ExportError(
                f"the bytes of the recurrent layer {op.name!r} cannot be predicted: those of GRU "
                "and LSTM with tanh and sigmoid can be, without masks, first and returned states"
            )
    width = _WIDTH[form]
    total = max(_LOOPS[form][op.kind].common for op in layers)
    if len({op.kind for op in layers}) > 1:
        total -= _BOTH_KINDS[form]
        all_, last = (
            {op.kind for op in layers if op.attributes["return_sequences"] is sequences}
            for sequences in (True, False)
        )
        total += 0 if len(all_) > 1 or len(last) > 1 else _UNLIKE[form]
    zeros: set[int] = set()  # arrays of zeros that the file holds, by their bytes
    sorts: set[tuple[str, bool, bool]] = set()
    known: set[tuple[str, int]] = set()
    for op in layers:
        both, sequences = op.attributes["bidirectional"], op.attributes["return_sequences"]
        units, loop = op.attributes["units"], _LOOPS[form][op.kind]
        which = 0 if sequences else 1
        for backward in (False, True)[: 2 if both else 1]:
            is_new = (op.kind, sequences, backward) not in sorts
            if backward:
                total += loop.backward[which] if is_new else loop.another_backward
            else:
                total += loop.first[which] if is_new else loop.another
                total -= loop.alike if (op.kind, units) in known else 0
            sorts.add((op.kind, sequences, backward))
        known.add((op.kind, units))
        total += _MERGED[form][which] if "merged" in op.attributes else 0
        total += width * op.parameters
        if form != "full_int8":
            # The converter's loop begins with an array of zeros of its whole output.
            zeros |= {width * op.output_shape[0] * units} if sequences else set()
            continue
        total += 3 * sum(weight.size for weight in op.weights if weight.name == "bias")  # int32
        total += (2 if both else 1) * units  # the first state, in int8 and, of zeros, in int16
        zeros.add(2 * units)
        if op.kind == "gru" and not op.attributes["reset_after"]:
            total += (2 if both else 1) * _RESET_BEFORE
    return total + sum(zeros) + stored


def _narrower(layers: list[Op], form: str) -> tuple[str, int]:
    """Return the form whose loops a form has, and what its kernels take beyond those.

    Raises:
        ExportError: There are no loops in that form.
    """
    if form == "int16":
        raise ExportError(
            f"there is no file with outputs of int16 and the recurrent layer {layers[0].name!r}"
        )
    kernels = [weight.size for op in layers for weight in op.weights if "kernel" in weight.name]
    if form == "int4":
        return "full_int8", -sum(size // 2 for size in kernels if size >= _NARROWED)
    more = sum(_HYBRID if size >= _LEAST_HYBRID else _DEQUANTIZED for size in kernels)
    return "float32", more - 3 * sum(kernels)
