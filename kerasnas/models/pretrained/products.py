"""Separable blocks and convolutions in NumPy.

Candidates of a search have a network each, and few clips go through it: a product of matrices is
faster than a model that is built for it. One thread computes, as each candidate has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.trunk import Convolution, Separable
from kerasnas.models.pretrained.way import Weights

Array = NDArray[np.float32]

_HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
"""Every float16 number, by its bits: NumPy converts them one by one."""


def is_product(block: Block) -> bool:
    """Whether a block is, in the end, one product with a kernel, and a function of it."""
    if isinstance(block, Separable):
        return block.depthwise.multiplier == 1
    return isinstance(block, Convolution)


def compute(block: Block, weights: Weights, x: Array) -> Array:
    """Return what a block that is a product makes of `(clips, frames, bins, channels)`."""
    depthwise, kernel, bias = split(weights)
    linear = linear_input(block, depthwise, x)
    sums = rows(linear) @ kernel
    sums += bias
    return activate(sums, block).reshape(*linear.shape[:-1], -1)


def widened(x: NDArray[Any]) -> Array:
    """Return numbers as float32."""
    if x.dtype == np.float16:
        return _HALVES[np.ascontiguousarray(x).view(np.uint16)]
    return np.asarray(x, np.float32)


def split(named: Weights) -> tuple[dict[str, Array], Array, Array]:
    """Return the depthwise part's weights, and the other one's kernel, a matrix, and bias."""
    depthwise = {name: values for name, values in named.items() if name.startswith("depthwise.")}
    prefix = "pointwise.conv" if depthwise else "conv"
    kernel = named[f"{prefix}/kernel"]
    return depthwise, kernel.reshape(-1, kernel.shape[-1]), named[f"{prefix}/bias"]


def linear_input(block: Block, depthwise: dict[str, Array], x: Array) -> Array:
    """Return what a block multiplies by its kernel, at every place."""
    import keras

    if isinstance(block, Separable):
        part = block.depthwise
        y = keras.ops.depthwise_conv(
            x,
            depthwise["depthwise.depthwise/kernel"],
            part.strides,
            part.padding,
        )
        y = np.asarray(y) + depthwise["depthwise.depthwise/bias"]
        y = _function(y, part.activation)
        convolution = block.pointwise
    else:
        assert isinstance(block, Convolution)
        y, convolution = x, block
    if convolution.kernel_size == (1, 1):
        return y[:, :: convolution.strides[0], :: convolution.strides[1]]
    return np.asarray(
        keras.ops.image.extract_patches(
            y, convolution.kernel_size, convolution.strides, padding=convolution.padding
        )
    )


def rows(x: Array) -> Array:
    """Return values at every place of every clip, `(places, channels)`."""
    return x.reshape(-1, x.shape[-1])


def activate(sums: Array, block: Block) -> Array:
    """Return what a block makes of its product, perhaps in the same memory."""
    convolution = block.pointwise if isinstance(block, Separable) else block
    assert isinstance(convolution, Convolution)
    return _function(sums, convolution.activation)


def _function(x: Array, name: str) -> Array:
    if name == "linear":
        return x
    if name in ("relu", "relu6"):
        return np.clip(x, 0, 6 if name == "relu6" else None, out=x)
    import keras

    return np.asarray(keras.activations.get(name)(x))
