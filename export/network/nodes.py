"""The TFLite operators that an export makes of a network.

`lower` repeats what the converter does: batch normalisation folded into the convolution before it,
ReLU fused into the operator before it, swish as LOGISTIC and MUL, dropout gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain

from ..errors import ExportError
from ..forms import Form, Recurrent
from .composed import COMPOSED
from .operators import (
    OF_FRAMES,
    OVER_FRAMES,
    SIMPLE,
    WEIGHTED,
    Constant,
    LoweredOperator,
    bias,
    indices,
    operators_of,
)
from .ops import RECURRENT, Op, Shape
from .steps import in_steps

# TFLite operators of an activation, by the name Keras gives the function.
_ACTIVATIONS = {
    "elu": ("ELU",),
    "hard_sigmoid": ("ADD", "MUL"),
    "hard_silu": ("HARD_SWISH",),
    "linear": (),
    "relu": ("RELU",),
    "relu6": ("RELU6",),
    "sigmoid": ("LOGISTIC",),
    "silu": ("LOGISTIC", "MUL"),
    "softmax": ("SOFTMAX",),
    "swish": ("LOGISTIC", "MUL"),
    "tanh": ("TANH",),
}
_FUSED_ACTIVATIONS = frozenset({"relu", "relu6"})
_FUSING = WEIGHTED.union(SIMPLE.values(), ("TRANSPOSE_CONV",)) - {"CONCATENATION"}
_BOTH = ("after", "before")
_BETWEEN_IMAGES = frozenset({"batch_norm", "dropout", "activation"})
_UNPACKING = RECURRENT | {"flatten", "reshape"}  # which read packed frames as they are
_STAYING_WIDE = frozenset({"multiply", *OVER_FRAMES})


def lower(
    ops: tuple[Op, ...], form: Form = "float32", recurrent: Recurrent | None = None
) -> list[LoweredOperator]:
    """Return the operators that the export makes of a network, without loops.

    Args:
        ops: The network.
        form: Of the file.
        recurrent: `unroll` or `step`, where recurrent layers are written out.

    Raises:
        ExportError: The kind of an operation, or its activation function, is not known here.
    """
    consumers = Counter(chain.from_iterable([op.inputs for op in ops]))
    ops = _without_reshapes(ops, consumers)
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
            nodes[index] = node._replace(constants=(kernel, bias(kernel, op.output_shape[-1])))
            source[op.name] = (index, True)
            continue
        if op.kind == "add" and len(op.inputs) == 1 and node and node.operator in WEIGHTED:
            source[op.name] = (index, True)  # a number goes into the bias
            continue
        if op.name in taken_in:
            source[op.name] = (index, False)
            continue
        if op.kind in RECURRENT:
            if recurrent in ("unroll", "step"):
                read = by_name[op.inputs[0]]
                packed = any(op.name in each.inputs and each.kind not in _UNPACKING for each in ops)
                nodes += in_steps(op, read, form, recurrent == "step", packed)
            source[op.name] = (len(nodes) - 1, False)
            continue
        if form in ("full_int8", "int4") and _is_wide(op, wide):
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
                nodes[index] = node._replace(usual_zero=True)
                source[op.name] = (index, False)
                continue
            if function == "hard_sigmoid":  # the sum is cut off at 0 and 6
                nodes += _hard_sigmoid(shape)[node is not None and node.operator in WEIGHTED :]
                source[op.name] = (len(nodes) - 1, False)
                continue
            operators = _ACTIVATIONS[function]
            nodes += [LoweredOperator(name, 2 if name == "MUL" else 1, shape) for name in operators]
            source[op.name] = (len(nodes) - 1, False) if operators else (index, open_)
            continue
        added = COMPOSED.get(op.kind, operators_of)(op, shape)
        if form in ("full_int8", "int4"):
            added = tuple(_without_negation(node) for node in added)
        if op.kind == "add" and any(_is_plain_product(nodes, source[name]) for name in op.inputs):
            added = tuple(node._replace(like_input=True) for node in added)
        if op.kind == "concatenate":
            added = tuple(node._replace(joined=op.name) for node in added)
            for index, _ in (source[name] for name in op.inputs):
                nodes[index] = nodes[index]._replace(joined=op.name)
        nodes += added
        source[op.name] = (len(nodes) - 1, True)
    return nodes


def _without_reshapes(ops: tuple[Op, ...], consumers: Counter[str]) -> tuple[Op, ...]:
    """Return a network in which convolutions of frames that follow each other are images between.

    Each is one of an image of one row; what makes frames of it again goes where the next one would
    make an image of them.
    """
    found = {op.name: op for op in ops}
    for op in ops:
        if op.kind not in OF_FRAMES:
            continue
        before = found[op.inputs[0]]
        while before.kind in _BETWEEN_IMAGES and consumers[before.name] == 1:
            before = found[before.inputs[0]]
        if before.kind in OF_FRAMES and consumers[before.name] == 1:
            for one, lost in ((before, "after"), (op, "before")):
                kept = set(found[one.name].attributes.get("reshaped", _BOTH)) - {lost}
                facts = {**one.attributes, "reshaped": tuple(kept)}
                found[one.name] = one._replace(attributes=facts)
    return tuple(found.values())


def _without_negation(node: LoweredOperator) -> LoweredOperator:
    """Return a negation as the product that `integer.operators` makes of it."""
    if node.operator != "NEG":
        return node
    return node._replace(operator="MUL", constants=(Constant("weight", (1,), values=(-1,)),))


def _hard_sigmoid(shape: Shape) -> list[LoweredOperator]:
    """Return its two operators, of which a convolution before it takes in the first."""
    return [
        LoweredOperator(name, 1, shape, (Constant("weight", (), values=(number,)),))
        for name, number in (("ADD", 3), ("MUL", 6))
    ]


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
        if op.kind in ("rescaling", "zero_padding2d") and consumers[op.name] == 1:
            reader = readers[op.name]
            if op.attributes.get("offset") is False and reader.kind == "zero_padding2d":
                reader = readers[reader.name]  # zeros stay zeros
            if _goes_into(reader, op, by_name[op.inputs[0]].output_shape):
                found.add(op.name)
        if op.kind != "batch_norm" or len(op.output_shape) > 1:
            continue
        reader = op
        while consumers[reader.name] == 1 and (reader is op or reader.kind == "dropout"):
            reader = readers[reader.name]
        if reader.kind == "dense":
            found.add(op.name)
    return found


def _goes_into(reader: Op, op: Op, shape: Shape) -> bool:
    """Return whether the converter makes a scale, or zeros around an image, a part of a reader.

    Zeros where they are those of the padding `same`, and its last window ends with them: where a
    stride is longer than the window, the image may go on behind it, and the converter leaves the
    zeros of both axes where they are. A scale everywhere; an offset where there are no zeros.
    """
    if reader.kind not in ("conv2d", "depthwise_conv2d"):
        return op.kind == "rescaling" and reader.kind == "dense"
    valid = reader.attributes.get("padding") == "valid"
    if op.kind == "rescaling":
        return valid or not op.attributes["offset"]
    if not valid:
        return False
    for size, window, stride, pads in zip(
        shape,
        reader.attributes["kernel_size"],
        reader.attributes["strides"],
        op.attributes["pads"],
        strict=False,
    ):
        missing = (-(-size // stride) - 1) * stride + window - size  # negative: left over
        if pads != (missing // 2, missing - missing // 2):
            return False
    return True


def _is_plain_product(nodes: list[LoweredOperator], source: tuple[int, bool]) -> bool:
    """Return whether the converter gives it the scale of the sum that it goes into.

    Its range is that of a batch normalisation that has become a part of it, so it is not known.
    """
    index, open_ = source
    return open_ and nodes[index].operator in WEIGHTED


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
            LoweredOperator("MEAN", 1, shape, (indices(1),)),
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
        nodes = operators_of(op, shape)
    return [
        node._replace(wide=True, joined="unit" if node.operator == "SOFTMAX" else "")
        for node in nodes
    ]
