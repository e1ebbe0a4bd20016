"""The TFLite operators that an export makes of a network.

`lower` repeats what the converter does: batch normalisation folded into the convolution before it,
ReLU fused into the operator before it, swish as LOGISTIC and MUL, dropout gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from math import prod
from typing import Literal, NamedTuple

from ..errors import ExportError
from ..forms import Form
from .ops import RECURRENT, Op, Shape

# TFLite operators of an activation, by the name Keras gives the function.
_ACTIVATIONS = {
    "elu": ("ELU",),
    "linear": (),
    "relu": ("RELU",),
    "relu6": ("RELU6",),
    "sigmoid": ("LOGISTIC",),
    "silu": ("LOGISTIC", "MUL"),
    "softmax": ("SOFTMAX",),
    "swish": ("LOGISTIC", "MUL"),
    "tanh": ("TANH",),
}
_FOLDING = {
    "conv2d": "CONV_2D",
    "depthwise_conv2d": "DEPTHWISE_CONV_2D",
    "dense": "FULLY_CONNECTED",
}
_SIMPLE = {
    "add": "ADD",
    "average_pool2d": "AVERAGE_POOL_2D",
    "concatenate": "CONCATENATION",
    "divide": "DIV",
    "max_pool2d": "MAX_POOL_2D",
    "multiply": "MUL",
    "subtract": "SUB",
}
WEIGHTED = frozenset(_FOLDING.values())
_FUSED_ACTIVATIONS = frozenset({"relu", "relu6"})
_FUSING = WEIGHTED.union(_SIMPLE.values()) - {"CONCATENATION"}
_OVER_FRAMES = {"mean_over_frames": "MEAN", "sum_over_frames": "SUM"}
_STAYING_WIDE = frozenset({"multiply", *_OVER_FRAMES})


class Constant(NamedTuple):
    """A constant of a lowered operator: its shape, and the channels with a scale of their own.

    Indices (`role` "index") are int32 in every form, a `bias` is in integer form. Where their
    `values` are known, equal constants are one.
    """

    role: Literal["weight", "bias", "index"]
    shape: Shape
    channels: int = 1
    values: tuple[int, ...] = ()

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
    """

    operator: str
    inputs: int
    shape: Shape
    constants: tuple[Constant, ...] = ()
    like_input: bool = False
    joined: str = ""
    wide: bool = False


def lower(ops: tuple[Op, ...], form: Form = "float32") -> list[LoweredOperator]:
    """Return the operators that the export makes of a network, without its recurrent layers.

    Raises:
        ExportError: The kind of an operation, or its activation function, is not known here.
    """
    consumers = Counter(chain.from_iterable([op.inputs for op in ops]))
    by_name = {op.name: op for op in ops}
    taken_in = _taken_in(ops, consumers, by_name)
    nodes: list[LoweredOperator] = []
    # Of each output: the node that computes it, and whether that node may take in what follows.
    source: dict[str, tuple[int, bool]] = {}
    wide: set[str] = set()  # what `kerasnas.export.integer.wide` computes in int16
    for op in ops:
        index, open_ = source[op.inputs[0]] if op.inputs else (-1, False)
        open_ = open_ and consumers[op.inputs[0]] == 1
        shape = (1, *op.output_shape)
        node = nodes[index] if open_ else None
        if op.kind in ("input", "dropout"):
            source[op.name] = (index, open_)
            continue
        if op.kind == "batch_norm" and node and node.operator in WEIGHTED:
            kernel = node.constants[0]
            nodes[index] = node._replace(constants=(kernel, _bias(kernel, op.output_shape[-1])))
            source[op.name] = (index, True)
            continue
        if op.name in taken_in:
            source[op.name] = (index, False)
            continue
        if op.kind in RECURRENT:
            source[op.name] = (len(nodes) - 1, False)
            continue
        if form == "full_int8" and _is_wide(op, wide):
            narrow = [name for name in dict.fromkeys(op.inputs) if name not in wide]
            nodes += [_widened(by_name[name]) for name in narrow]
            nodes += _wide_nodes(op, shape, by_name[op.inputs[0]].output_shape)
            source[op.name] = (len(nodes) - 1, False)
            wide.add(op.name)
            continue
        if op.kind == "activation":
            function = op.attributes["function"]
            if function not in _ACTIVATIONS:
                raise ExportError(
                    f"the size of a file with the activation {function!r} ({op.name}) cannot be "
                    f"predicted: the known ones are {', '.join(_ACTIVATIONS)}"
                )
            if function in _FUSED_ACTIVATIONS and node and node.operator in _FUSING:
                source[op.name] = (index, False)
                continue
            operators = _ACTIVATIONS[function]
            nodes += [LoweredOperator(name, 2 if name == "MUL" else 1, shape) for name in operators]
            source[op.name] = (len(nodes) - 1, False) if operators else (index, open_)
            continue
        added = _nodes(op, shape)
        if op.kind == "add" and any(_is_plain_product(nodes, source[name]) for name in op.inputs):
            added = tuple(node._replace(like_input=True) for node in added)
        if op.kind == "concatenate":
            added = tuple(node._replace(joined=op.name) for node in added)
            for index, _ in (source[name] for name in op.inputs):
                nodes[index] = nodes[index]._replace(joined=op.name)
        nodes += added
        source[op.name] = (len(nodes) - 1, True)
    return nodes


def _taken_in(ops: tuple[Op, ...], consumers: Counter[str], by_name: Mapping[str, Op]) -> set[str]:
    """Return the operations that become a part of the one after them.

    Batch normalisations of vectors before dense layers, and vectors made into one frame for a
    subtraction, which broadcasts them.
    """
    readers = {name: op for op in ops for name in op.inputs}
    found = set()
    for op in ops:
        if op.kind == "reshape" and consumers[op.name] == 1:
            frame = (1, *by_name[op.inputs[0]].output_shape)
            if op.output_shape == frame and readers[op.name].kind == "subtract":
                found.add(op.name)
        if op.kind != "batch_norm" or len(op.output_shape) > 1:
            continue
        reader = op
        while consumers[reader.name] == 1 and (reader is op or reader.kind == "dropout"):
            reader = readers[reader.name]
        if reader.kind == "dense":
            found.add(op.name)
    return found


def _is_plain_product(nodes: list[LoweredOperator], source: tuple[int, bool]) -> bool:
    """Return whether the converter gives it the scale of the sum that it goes into.

    Its range is that of a batch normalisation that has become a part of it, so it is not known.
    """
    index, open_ = source
    return open_ and nodes[index].operator in WEIGHTED


def _nodes(op: Op, shape: Shape) -> tuple[LoweredOperator, ...]:
    channels = shape[-1]
    if op.kind in _FOLDING:
        kernel = _kernel(op)
        constants = (kernel, _bias(kernel, channels)) if len(op.weights) > 1 else (kernel,)
        return (LoweredOperator(_FOLDING[op.kind], 1, shape, constants),)
    if op.kind == "add" and len(op.output_shape) == 1:  # one of two vectors loses the batch
        vector = LoweredOperator("RESHAPE", 1, op.output_shape, (_indices(*op.output_shape),))
        return (vector, LoweredOperator("ADD", 2, shape)) * (len(op.inputs) - 1)
    if op.kind in ("add", "multiply"):
        return (LoweredOperator(_SIMPLE[op.kind], 2, shape),) * (len(op.inputs) - 1)
    if op.kind in _SIMPLE:
        return (LoweredOperator(_SIMPLE[op.kind], len(op.inputs), shape),)
    if op.kind in _OVER_FRAMES:
        return (LoweredOperator(_OVER_FRAMES[op.kind], 1, shape, (_indices(1),)),)
    if op.kind == "softmax_over_frames":
        swapped, order = (1, *shape[:0:-1]), (_indices(0, 2, 1),)
        return (
            LoweredOperator("TRANSPOSE", 1, swapped, order),
            LoweredOperator("SOFTMAX", 1, swapped),
            LoweredOperator("TRANSPOSE", 1, shape, order),
        )
    if op.kind == "global_average_pool":
        return (LoweredOperator("MEAN", 1, shape, (_indices(1, 2),)),)
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
        return (LoweredOperator("RESHAPE", 1, shape, (_indices(*shape),)),)
    if op.kind == "permute":
        return (
            LoweredOperator("TRANSPOSE", 1, shape, (_indices(0, *op.attributes.get("dims", ())),)),
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
    if op.kind == "depthwise_conv2d":
        return Constant("weight", (1, *window, channels), channels)
    return Constant("weight", (channels, *window, inputs), channels)


def _is_wide(op: Op, wide: set[str]) -> bool:
    """Return whether `integer.wide.wide_operation` takes it out of the converter's hands."""
    if op.kind == "activation":
        return op.attributes["function"] == "softmax" and len(op.output_shape) == 2
    if op.kind in ("divide", "softmax_over_frames"):
        return True
    return op.kind in _STAYING_WIDE and not wide.isdisjoint(op.inputs)


def _widened(op: Op) -> LoweredOperator:
    """Return an int8 output in int16."""
    is_share = op.attributes.get("function") in ("sigmoid", "softmax")
    scale = "unit" if is_share else ""
    return LoweredOperator("QUANTIZE", 1, (1, *op.output_shape), joined=scale, wide=True)


def _wide_nodes(op: Op, shape: Shape, before: Shape) -> list[LoweredOperator]:
    if op.kind == "activation":
        nodes: tuple[LoweredOperator, ...] = (LoweredOperator("SOFTMAX", 1, shape),)
    elif op.kind == "sum_over_frames":
        frames = Constant("weight", (1,), values=before[:1])
        nodes = (
            LoweredOperator("MEAN", 1, shape, (_indices(1),)),
            LoweredOperator("MUL", 1, shape, (frames,)),
        )
    elif op.kind == "divide":
        casts = (LoweredOperator("CAST", 1, shape),) * 4
        single = ("MUL", "EQUAL", "MINIMUM", "MAXIMUM")
        nodes = (
            *casts,
            *(LoweredOperator(name, 1, shape, (Constant("index", (1,)),)) for name in single),
            LoweredOperator("ADD", 2, shape),
            LoweredOperator("DIV", 2, shape),
        )
    else:
        nodes = _nodes(op, shape)
    return [
        node._replace(wide=True, joined="unit" if node.operator == "SOFTMAX" else "")
        for node in nodes
    ]


def _indices(*values: int) -> Constant:
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
        _indices(*before, first, *(0,) * len(rest)),
        _indices(*before, end, *rest),
        _indices(*(1,) * size),
    )


def _bias(kernel: Constant, channels: int) -> Constant:
    return Constant("bias", (channels,), kernel.channels)
