"""Bytes that a recurrent layer takes in a `.tflite` file beyond its weights.

A loop is two graphs of its own, some fifty tensors and twenty operators: their tables are the same
whatever the number of units. Read from files of `kerasnas.export.size.CONVERTER` (float) and of
`kerasnas.export.int8_loop`, with one layer, in one direction and in two.
"""

from __future__ import annotations

from kerasnas.export.ops import Op

# One direction that gives every frame's state, and one that gives the last frame's.
_LOOPS = {
    "float32": {"gru": (6562, 5512), "lstm": (6154, 5042)},
    "float16": {"gru": (7050, 5992), "lstm": (6620, 5498)},
    "full_int8": {"gru": (5216, 4346), "lstm": (4860, 3994)},
}
_FIRST = {"float32": 677, "float16": 844, "full_int8": 136}  # operators that were not there yet
_WIDTH = {"float32": 4, "float16": 2, "full_int8": 1}
_RESET_BEFORE = 280  # a second product in the loop of integers


def loops_bytes(layers: list[Op], form: str) -> int:
    """Bytes of all recurrent layers of a file, weights included."""
    width = _WIDTH[form]
    total = _FIRST[form] if layers else 0
    arrays: set[int] = set()
    for op in layers:
        directions = 2 if op.attributes["bidirectional"] else 1
        sequences, units = op.attributes["return_sequences"], op.attributes["units"]
        total += directions * _LOOPS[form][op.kind][0 if sequences else 1] + width * op.parameters
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
