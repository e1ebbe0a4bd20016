"""Recurrent layers whose frames are written out, one after another: the form `unroll`.

As the converter writes what Keras 3.15 computes: the first frame meets a state of zeros, so that
nothing is multiplied by it. Of the form `step`, a layer is one frame that is not the first.
"""

from __future__ import annotations

from ..errors import ExportError
from ..forms import Form
from .operators import Constant, LoweredOperator, bias, indices
from .ops import Op, Shape

_GATES = {"gru": 3, "lstm": 4}
_FLOATS = ("float32", "float16", "int8_weights")
_STATE_FLOATS, _STATE_INTEGERS = 70, 170


def in_steps(
    op: Op, before: Op, form: Form, alone: bool, packed: bool
) -> tuple[LoweredOperator, ...]:
    """Return the operators of a recurrent layer.

    Args:
        op: The layer.
        before: What it reads, of shape `(frames, channels)`.
        form: Of the file.
        alone: Whether the layer takes one frame, and its states come from outside.
        packed: Whether the states of all frames are needed as one tensor behind it.

    Raises:
        ExportError: The layer has other operators than those known here.
    """
    plain = op.attributes.get("plain", True) and op.attributes.get("reset_after", True)
    if not plain or "merged" in op.attributes or (alone and op.attributes["bidirectional"]):
        raise ExportError(
            f"the bytes of the recurrent layer {op.name!r} written out cannot be predicted: those "
            "of GRU, with reset_after, and LSTM with tanh and sigmoid can be, without masks, first "
            "and returned states, with both directions concatenated"
        )
    frames, channels = before.output_shape
    units = op.attributes["units"]
    sequences, both = op.attributes["return_sequences"], op.attributes["bidirectional"]
    nodes: list[LoweredOperator] = []
    if not alone:
        order = (frames, 1, channels)
        if frames > 1 and before.kind not in _GATES:  # whose frames are packed in this order
            nodes.append(LoweredOperator("RESHAPE", 1, order, (indices(*order),)))
        nodes.append(LoweredOperator("UNPACK", 1, (1, channels), outputs=frames))
    step = {"gru": _gru, "lstm": _lstm}[op.kind]
    biased = any(weight.name == "bias" for weight in op.weights)
    for direction in range(2 if both else 1):
        same = form in _FLOATS or sequences
        layer = _Layer(f"{op.name} {direction}", channels, units, biased, form in _FLOATS, same)
        joined = op.name if sequences or both else ""
        for frame in range(frames):
            first, last = frame == 0 and not alone, frame == frames - 1
            found = step(layer, first)
            found[-1] = found[-1]._replace(joined=joined if sequences or last else "")
            nodes += found
        if sequences and (packed or not alone):
            nodes.append(_pack(frames, units, alone))
    if both:
        shape: Shape = (1, frames, 2 * units) if sequences else (1, 2 * units)
        nodes.append(LoweredOperator("CONCATENATION", 2, shape, joined=op.name))
    elif sequences and packed and not alone:
        shape = (1, frames, units)
        nodes.append(LoweredOperator("RESHAPE", 1, shape, (indices(*shape),)))
    return tuple(nodes)


def one_frame(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """Return a network of frames as one of one frame, with the names and layers it has."""
    found: list[Op] = []
    vectors: set[str] = set()  # outputs behind the last states, which have no frames
    frames = ops[0].output_shape[0]
    for op in ops:
        shape = op.output_shape
        whole = op.kind in _GATES and not op.attributes["return_sequences"]
        if whole or any(name in vectors for name in op.inputs):
            vectors.add(op.name)
        elif shape and shape[0] == frames:
            shape = (1, *shape[1:])
        found.append(op._replace(output_shape=shape))
    return tuple(found)


def states_bytes(ops: tuple[Op, ...], integer: bool) -> int:
    """Return what the states of a file of one frame take as inputs and outputs of it."""
    count = sum(2 if op.kind == "lstm" else 1 for op in ops if op.kind in _GATES)
    return count * (_STATE_INTEGERS if integer else _STATE_FLOATS)


def _pack(frames: int, units: int, alone: bool) -> LoweredOperator:
    if alone:
        return LoweredOperator("RESHAPE", 1, (1, 1, units), (indices(1, 1, units),))
    return LoweredOperator("PACK", frames, (frames, 1, units))


class _Layer:
    """Operators of one direction of a layer, whose frames share their constants."""

    def __init__(
        self, name: str, channels: int, units: int, biased: bool, floats: bool, same: bool
    ) -> None:
        self.units, self.channels, self.biased = units, channels, biased
        self._name, self._floats = name, floats
        self._same = same  # whether all states have one scale, and biases added to them with it

    def product(self, what: str, inputs: int, gates: int, biased: bool) -> LoweredOperator:
        """Return a product with a kernel; biases of a state have its scale, which is another's."""
        size = gates * self.units
        kernel = Constant("weight", (size, inputs), shared=f"{self._name} {what}")
        constants = [kernel]
        if biased:
            own = what == "state" and not self._same
            name = "" if own else f"{self._name} {what} bias"
            constants.append(bias(kernel, size)._replace(shared=name))
        return LoweredOperator("FULLY_CONNECTED", 1, (1, size), tuple(constants))

    def added_bias(self, size: int) -> Constant:
        """Return the bias that is added to a sum, as a number or as an integer of its own scale."""
        if self._floats:
            return Constant("bias", (size,), shared=f"{self._name} input bias")
        return self.vector("bias", size)

    def vector(self, what: str, *shape: int) -> Constant:
        """Return a constant that all frames share."""
        return Constant("weight", shape, shared=f"{self._name} {what}")

    def each(
        self, name: str, inputs: int = 2, *constants: Constant, like_input: bool = False
    ) -> LoweredOperator:
        """Return an operator on states."""
        return LoweredOperator(name, inputs, (1, self.units), constants, like_input)

    def split(self, parts: int, axis: int) -> LoweredOperator:
        """Return what takes the gates apart."""
        place = Constant("index", (), values=(axis,))
        return LoweredOperator("SPLIT", 1, (1, self.units), (place,), outputs=parts)


def _gru(layer: _Layer, first: bool) -> list[LoweredOperator]:
    units, each = layer.units, layer.each
    one = Constant("weight", (), shared="one")
    inputs = [layer.product("input", layer.channels, 3, layer.biased), layer.split(3, -1)]
    active = [each("LOGISTIC", 1), each("SUB", 1, one)]
    if first:
        return [
            *inputs,
            each("ADD", 1, layer.vector("update", 1, units)),
            *active,
            each("ADD", 1, layer.vector("reset", 1, units)),
            each("LOGISTIC", 1),
            each("MUL", 1, layer.vector("inner", 1, units)),
            each("ADD"),
            each("TANH", 1),
            each("MUL"),
        ]
    slices = [
        each("STRIDED_SLICE", 1, indices(0, begin), indices(0, end), indices(1, 1))
        for begin, end in ((0, units), (units, 2 * units), (2 * units, 0))
    ]
    return [
        *inputs,
        layer.product("state", units, 3, layer.biased),
        *slices,
        each("ADD"),
        *active,
        each("MUL"),
        each("ADD"),
        each("LOGISTIC", 1),
        each("MUL"),
        each("ADD"),
        each("TANH", 1),
        each("MUL"),
        each("ADD", like_input=True),
    ]


def _lstm(layer: _Layer, first: bool) -> list[LoweredOperator]:
    units, each = layer.units, layer.each
    split = layer.split(4, 1)
    size = 4 * units
    if first:
        return [
            layer.product("input", layer.channels, 4, layer.biased),
            split,
            each("LOGISTIC", 1),
            each("LOGISTIC", 1),
            each("TANH", 1),
            each("MUL"),
            each("TANH", 1),
            each("MUL"),
        ]
    added = LoweredOperator("ADD", 1, (1, size), (layer.added_bias(size),), like_input=True)
    return [
        layer.product("input", layer.channels, 4, False),
        layer.product("state", units, 4, False),
        LoweredOperator("RESHAPE", 1, (size,), (indices(size),)),
        LoweredOperator("ADD", 2, (1, size)),
        *([added] if layer.biased else []),
        split,
        *(each("LOGISTIC", 1) for _ in range(3)),
        each("TANH", 1),
        each("MUL"),
        each("MUL"),
        each("ADD", like_input=True),
        each("TANH", 1),
        each("MUL"),
    ]
