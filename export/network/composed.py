"""Layers that become many TFLite operators each: layer normalisation, and attention.

As the converter writes what Keras 3.15 computes for them.
"""

from __future__ import annotations

from .operators import Constant, LoweredOperator, bias, indices
from .ops import Op, Shape

_EPSILON = 1  # stands for the constant that all layers of a network share


def layer_normalization(op: Op, shape: Shape) -> tuple[LoweredOperator, ...]:
    """Return the operators of `keras.layers.LayerNormalization` over the last axis.

    In integers a negation is a product with a constant; the sums with two constants mostly have
    the scale of what they add to.
    """
    single = (*shape[:-1], 1)
    places = (1,) * (len(shape) - 1)
    last = (indices(-1),)
    vector = Constant("weight", (*places, shape[-1]))
    scale = [LoweredOperator("MUL", 1, shape, (vector,))] if op.attributes["scale"] else []
    shift = [LoweredOperator("ADD", 1, shape, (vector,), like_input=True)]
    return (
        LoweredOperator("MEAN", 1, single, last),
        LoweredOperator("SQUARED_DIFFERENCE", 2, shape, usual_zero=True),
        LoweredOperator("MEAN", 1, single, last),
        LoweredOperator(
            "ADD", 1, single, (Constant("weight", (), values=(_EPSILON,)),), like_input=True
        ),
        LoweredOperator("RSQRT", 1, single, usual_zero=True),
        *scale,
        LoweredOperator("MUL", 2, shape),
        LoweredOperator("NEG", 1, single),
        LoweredOperator("MUL", 2, shape),
        *(shift if op.attributes["center"] else []),
        LoweredOperator("ADD", 2, shape),
    )


def attention(op: Op, shape: Shape) -> tuple[LoweredOperator, ...]:
    """Return the operators of `keras.layers.MultiHeadAttention` without masks."""
    _, frames, channels = shape
    heads, keys = op.attributes["heads"], op.attributes["keys"]
    width, value_width = op.attributes["key_width"], op.attributes["value_width"]
    split, swap = (0, 2, 1, 3), (0, 2, 3, 1)

    def projection(read: int, places: int, size: int, order: Shape) -> list[LoweredOperator]:
        together = (1, places, heads * size)
        apart = (1, places, heads, size)
        return [
            _dense(op, read, together),
            LoweredOperator("RESHAPE", 1, apart, (indices(-1, *apart[1:]),)),
            LoweredOperator("TRANSPOSE", 1, tuple(apart[i] for i in order), (indices(*order),)),
        ]

    reads = op.attributes["reads"]
    logits = (1, heads, frames, keys)
    joined = (1, frames, heads * value_width)
    return (
        *projection(reads[0], frames, width, split),
        *projection(reads[1], keys, width, swap),
        LoweredOperator("BATCH_MATMUL", 2, logits),
        LoweredOperator("MUL", 1, logits, (Constant("weight", ()),), usual_zero=True),
        LoweredOperator("SOFTMAX", 1, logits),
        *projection(reads[2], keys, value_width, split),
        LoweredOperator("BATCH_MATMUL", 2, (1, heads, frames, value_width)),
        LoweredOperator("TRANSPOSE", 1, (1, frames, heads, value_width), (indices(*split),)),
        LoweredOperator("RESHAPE", 1, joined, (indices(-1, *joined[1:]),)),
        _dense(op, heads * value_width, (1, frames, channels)),
    )


def _dense(op: Op, inputs: int, shape: Shape) -> LoweredOperator:
    kernel = Constant("weight", (shape[-1], inputs))
    constants = (kernel, bias(kernel, shape[-1])) if op.attributes["bias"] else (kernel,)
    return LoweredOperator("FULLY_CONNECTED", 1, shape, constants)


COMPOSED = {"layer_normalization": layer_normalization, "multi_head_attention": attention}
