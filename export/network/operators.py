"""Operators of TFLite: what one operation of a network becomes, whatever is around it."""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Literal, NamedTuple

from ..errors import ExportError
from .ops import Op, Shape

_FOLDING = {
    "conv2d": "CONV_2D",
    "depthwise_conv2d": "DEPTHWISE_CONV_2D",
    "dense": "FULLY_CONNECTED",
}
SIMPLE = {
    "add": "ADD",
    "average_pool2d": "AVERAGE_POOL_2D",
    "concatenate": "CONCATENATION",
    "divide": "DIV",
    "max_pool2d": "MAX_POOL_2D",
    "multiply": "MUL",
    "subtract": "SUB",
}
OF_FRAMES = {"conv1d": "CONV_2D", "depthwise_conv1d": "DEPTHWISE_CONV_2D"}
WEIGHTED = frozenset(_FOLDING.values())
OVER_FRAMES = {"mean_over_frames": "MEAN", "sum_over_frames": "SUM"}


class Constant(NamedTuple):
    """A constant of a lowered operator: its shape, and the channels with a scale of their own.

    Indices (`role` "index") are int32 in every form, a `bias` is in integer form. Where their
    `values` are known, equal constants are one; so are those that are `shared` by this name.
    """

    role: Literal["weight", "bias", "index"]
    shape: Shape
    channels: int = 1
    values: tuple[int, ...] = ()
    shared: str = ""

    @property
    def size(self) -> int:
        """Number of scalars."""
        return prod(self.shape)


class LoweredOperator(NamedTuple):
    """One TFLite operator.

    Attributes:
        operator: Its name.
        inputs: How many of them are computed.
        shape: Of its output.
        constants: Its other inputs.
        like_input: Whether its integer output has the scale of an input of the same shape.
        joined: A name for the scale of its integer output, where others have the same one: those
            that a concatenation joins, and numbers between -1 and 1 in int16.
        wide: Whether its integer output is int16, whose zero points are 0.
        usual_zero: Whether the zero point of its integer output is one that is there anyway, such
            as the least integer, of numbers that are never negative.
        outputs: How many there are, all alike.
    """

    operator: str
    inputs: int
    shape: Shape
    constants: tuple[Constant, ...] = ()
    like_input: bool = False
    joined: str = ""
    wide: bool = False
    usual_zero: bool = False
    outputs: int = 1


def operators_of(op: Op, shape: Shape) -> tuple[LoweredOperator, ...]:
    """Return the operators of an operation with an output of some shape, which has a batch of one.

    Raises:
        ExportError: They are not known here.
    """
    channels = shape[-1]
    if op.kind in OF_FRAMES:  # as an image of one row; what it becomes again is written first
        row = (1, 1, *shape[1:])
        kernel = _kernel(op)
        before = (1, 1, op.attributes["frames"], kernel.shape[-1])
        reshaped = op.attributes.get("reshaped", ("after", "before"))
        shapes = [shape] if "after" in reshaped else []
        shapes += [before] if "before" in reshaped else []
        convolution = LoweredOperator(OF_FRAMES[op.kind], 1, row, (kernel, bias(kernel, channels)))
        reshapes = [LoweredOperator("RESHAPE", 1, each, (indices(*each),)) for each in shapes]
        return (*reshapes, convolution)
    if op.kind == "conv2d_transpose":
        kernel = _kernel(op)
        sized = (indices(*shape), kernel, bias(kernel, channels))
        return (LoweredOperator("TRANSPOSE_CONV", 1, shape, sized),)
    if op.kind == "embedding":
        places = shape[:-1]
        single = Constant("index", ())
        return (
            LoweredOperator("CAST", 1, places),
            LoweredOperator("LESS", 1, places, (single,)),
            LoweredOperator("ADD", 1, places, (single,), like_input=True),
            LoweredOperator("SELECT", 3, places),
            LoweredOperator("GATHER", 1, shape, (Constant("weight", op.weights[0].shape),)),
        )
    if op.kind == "rescaling":
        single = Constant("weight", (1,))
        scaled = LoweredOperator("MUL", 1, shape, (single,))
        added = LoweredOperator("ADD", 1, shape, (single,))
        return (scaled, added) if op.attributes["offset"] else (scaled,)
    if op.kind == "zero_padding2d":
        pads = (0, 0, *chain.from_iterable(op.attributes["pads"]), 0, 0)
        return (LoweredOperator("PAD", 1, shape, (Constant("index", (4, 2), values=pads),)),)
    if op.kind in _FOLDING:
        kernel = _kernel(op)
        constants = (kernel, bias(kernel, channels)) if len(op.weights) > 1 else (kernel,)
        return (LoweredOperator(_FOLDING[op.kind], 1, shape, constants),)
    if op.kind in ("add", "multiply") and len(op.inputs) == 1:  # and a number
        return (LoweredOperator(SIMPLE[op.kind], 1, shape, (Constant("weight", ()),)),)
    if op.kind == "add" and len(op.output_shape) == 1:  # one of two vectors loses the batch
        vector = LoweredOperator("RESHAPE", 1, op.output_shape, (indices(*op.output_shape),))
        return (vector, LoweredOperator("ADD", 2, shape)) * (len(op.inputs) - 1)
    if op.kind in ("add", "multiply"):
        return (LoweredOperator(SIMPLE[op.kind], 2, shape),) * (len(op.inputs) - 1)
    if op.kind in SIMPLE:
        return (LoweredOperator(SIMPLE[op.kind], len(op.inputs), shape),)
    if op.kind in OVER_FRAMES:
        return (LoweredOperator(OVER_FRAMES[op.kind], 1, shape, (indices(1),)),)
    if op.kind == "softmax_over_frames":
        swapped, order = (1, *shape[:0:-1]), (indices(0, 2, 1),)
        return (
            LoweredOperator("TRANSPOSE", 1, swapped, order),
            LoweredOperator("SOFTMAX", 1, swapped),
            LoweredOperator("TRANSPOSE", 1, shape, order),
        )
    if op.kind == "global_average_pool":
        return (LoweredOperator("MEAN", 1, shape, (indices(1, 2),)),)
    if op.kind == "normalization":
        size = op.weights[0].size if op.weights else op.attributes["statistics"]
        statistics = Constant("weight", (1,) * (len(shape) - 1) + (size,))
        return (
            LoweredOperator("SUB", 1, shape, (statistics,)),
            LoweredOperator("MUL", 1, shape, (statistics,)),
        )
    if op.kind == "batch_norm":  # nothing before it to fold it into
        scale = Constant("weight", (channels,))
        return (
            LoweredOperator("MUL", 1, shape, (scale,)),
            LoweredOperator("ADD", 1, shape, (scale,)),
        )
    if op.kind in ("flatten", "reshape"):
        return (LoweredOperator("RESHAPE", 1, shape, (indices(*shape),)),)
    if op.kind == "permute":
        return (
            LoweredOperator("TRANSPOSE", 1, shape, (indices(0, *op.attributes.get("dims", ())),)),
        )
    if op.kind == "get_item":
        return (LoweredOperator("STRIDED_SLICE", 1, shape, _bounds(op, shape)),)
    raise ExportError(
        f"the size of a file with the operation {op.kind!r} ({op.name}) cannot be predicted: it "
        "has to be converted to be measured"
    )


def _kernel(op: Op) -> Constant:
    """Return the kernel of a convolution or dense layer, in the order of axes that TFLite has."""
    *window, inputs, outputs = op.weights[0].shape
    if op.kind == "dense":  # one scale for all of its channels
        return Constant("weight", (outputs, inputs))
    channels = op.output_shape[-1]
    if op.kind == "conv2d_transpose":
        return Constant("weight", (channels, *window, outputs), channels)
    if op.kind in OF_FRAMES:
        window = [1, *window]
    if op.kind in ("depthwise_conv1d", "depthwise_conv2d"):
        return Constant("weight", (1, *window, channels), channels)
    return Constant("weight", (channels, *window, inputs), channels)


def indices(*values: int) -> Constant:
    """Return a constant of int32 whose values are known."""
    return Constant("index", (len(values),), values=values)


def _bounds(op: Op, shape: Shape) -> tuple[Constant, ...]:
    """First indices, ends and steps of a slice; axes that are left whole have 0."""
    size = len(shape)
    if not op.attributes:
        return (Constant("index", (size,)),) * 3
    [(axis, (first, end))] = op.attributes.items()
    before = (0,) * (1 if axis == "frames" else size - 1)
    rest = shape[2:] if axis == "frames" else ()
    return (
        indices(*before, first, *(0,) * len(rest)),
        indices(*before, end, *rest),
        indices(*(1,) * size),
    )


def bias(kernel: Constant, channels: int) -> Constant:
    """Return the bias that belongs to a kernel."""
    return Constant("bias", (channels,), kernel.channels)
