"""Elementary operations of a network as plain data.

Whoever describes a network as a tuple of these gets its cost and the bytes of its TFLite files
without building it. An operation carries the name of the Keras layer that computes it.
Named tuples, since a size-constrained search makes millions of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Weight(NamedTuple):
    """One weight tensor of an operation, by the name Keras gives it (`kernel`, `gamma`, ...)."""

    name: str
    shape: Shape
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of scalars."""
        return prod(self.shape)


class Op(NamedTuple):
    """One elementary operation.

    Attributes:
        kind: The primitive: `input`, `normalization`, `conv2d`, `depthwise_conv2d`, `dense`,
            `batch_norm`, `activation`, `add`, `max_pool2d`, `average_pool2d`,
            `global_average_pool`, `dropout`, ...
        name: Unique in the network, and the name of the Keras layer.
        inputs: Names of the operations whose outputs it reads; empty for `input`.
        output_shape: Without the batch dimension.
        weights: Its weight tensors.
        macs: Multiply-accumulates for one example.
        attributes: What else distinguishes it: `kernel_size`, `strides`, `function`, ...
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    output_shape: Shape
    weights: tuple[Weight, ...] = ()
    macs: int = 0
    attributes: Mapping[str, Any] = MappingProxyType({})

    @property
    def parameters(self) -> int:
        """Number of scalars in all its weights."""
        return sum(weight.size for weight in self.weights)
