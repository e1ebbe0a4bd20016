"""Bytes that a recurrent layer takes in a `.tflite` file beyond its weights.

A loop is two graphs of its own, some fifty tensors and twenty operators: their tables are the same
whatever the number of units. Read from files of `kerasnas.export.size.CONVERTER` (float) and of
`kerasnas.export.int8_loop`, with one layer, in one direction and in two, and with two layers.
"""

from __future__ import annotations

from typing import NamedTuple

from kerasnas.export.ops import Op


class _Loop(NamedTuple):
    """Of a layer that gives every frame's state, and of one that gives the last frame's.

    A file's first layer brings operators that were not there yet (`first`); a second direction
    shares less with the first than a second layer does.
    """

    first: int
    layer: tuple[int, int]
    backward: tuple[int, int]


_LOOPS = {
    "float32": {
        "gru": _Loop(2600, (1112, 548), (816, 736)),
        "lstm": _Loop(2200, (1032, 468), (720, 704)),
    },
    "float16": {
        "gru": _Loop(2488, (1296, 776), (816, 736)),
        "lstm": _Loop(2136, (1152, 552), (720, 704)),
    },
    "full_int8": {
        "gru": _Loop(992, (1548, 1046), (1942, 1654)),
        "lstm": _Loop(892, (1444, 910), (1770, 1514)),
    },
}
_WIDTH = {"float32": 4, "float16": 2, "full_int8": 1}
_RESET_BEFORE = 232  # a second product in the loop of integers


def loops_bytes(layers: list[Op], form: str) -> int:
    """Bytes of all recurrent layers of a file, weights included."""
    width = _WIDTH[form]
    total = max((_LOOPS[form][op.kind].first for op in layers), default=0)
    arrays: set[int] = set()
    for op in layers:
        directions = 2 if op.attributes["bidirectional"] else 1
        sequences, units = op.attributes["return_sequences"], op.attributes["units"]
        loop, which = _LOOPS[form][op.kind], 0 if sequences else 1
        total += loop.layer[which] + (directions - 1) * loop.backward[which] + width * op.parameters
        if form != "full_int8":
            # The converter's loop begins with an array of zeros, which the file holds.
            arrays |= {frames(op) * units} if sequences else set()
            continue
        total += 3 * sum(weight.size for weight in op.weights if weight.name == "bias")  # int32
        total += 3 * units * directions  # the first state, int8 and int16
        if op.kind == "gru" and not op.attributes["reset_after"]:
            total += directions * _RESET_BEFORE
    return total + width * sum(arrays)


def frames(op: Op) -> int:
    """Steps of a recurrent layer."""
    return op.macs // sum(weight.size for weight in op.weights if weight.name != "bias")
