"""A way through the graph of a file: what has been read, and constants still to be applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Normalize
from kerasnas.blocks.trunk import Activation, Convolution, Depthwise, ScaleShift
from kerasnas.errors import KerasnasError
from kerasnas.export.flatbuffer.graph import TfliteGraph
from kerasnas.export.flatbuffer.reading import constant, is_constant
from kerasnas.export.network.ops import Shape

Weights = Mapping[str, NDArray[np.float32]]
"""Of one block, by `operation/weight`, the operation named as inside the block."""

_FUSED = {0: "linear", 1: "relu", 3: "relu6", 4: "tanh"}
_EPSILON = 1e-3  # that Keras's batch normalisation adds to the variance


class Part(NamedTuple):
    """A block that was read.

    Attributes:
        block: It.
        weights: Its weights.
        place: Tensor of the file that has its output; -1 where it has none.
    """

    block: Block
    weights: Weights
    place: int


@dataclass
class Way:
    """A way through the graph that is being read.

    Attributes:
        graph: Of the file.
        shape: Of what has been read so far, without the batch.
        parts: What has been read.
        factor: What is still to be multiplied onto the output, and `summand` to be added; None
            where nothing is.
        at_start: Whether it begins with the network's input.
    """

    graph: TfliteGraph
    shape: Shape
    parts: list[Part] = field(default_factory=list)
    factor: NDArray[np.float32] | None = None
    summand: NDArray[np.float32] | None = None
    at_start: bool = True

    @property
    def is_input(self) -> bool:
        """Whether nothing has been read yet, so that constants may differ from bin to bin."""
        return self.at_start and not self.parts and len(self.shape) == 3

    def add(self, block: Block, weights: Weights, place: int, shape: Shape) -> None:
        """Append a block whose output has a shape."""
        self.parts.append(Part(block, weights, place))
        self.shape = shape

    def activate(self, function: str, place: int) -> None:
        """Apply an activation, as a part of the block before it where that has none."""
        if function == "linear":
            return
        last = self.parts[-1] if self.parts else None
        if (
            last
            and isinstance(last.block, Convolution | Depthwise | Dense)
            and last.block.activation == "linear"
        ):
            block: Any = replace(last.block, activation=function)
            self.parts[-1] = Part(block, last.weights, place)
            return
        if last and last.place == place:  # one operator computes both
            self.parts[-1] = last._replace(place=-1)
        self.add(Activation(function), {}, place, self.shape)


class Refused(KerasnasError):  # noqa: N818 - the operator is; nothing erred here
    """An operator that cannot be read; the reader adds where it stands."""


def fused(code: int) -> str:
    """Return the activation that an operator applies itself, by the name Keras gives it.

    Raises:
        Refused: It is none that can be read.
    """
    if code not in _FUSED:
        raise Refused(f"its fused activation, number {code}, is not NONE, RELU, RELU6 or TANH")
    return _FUSED[code]


def scale(way: Way, operator: Any, name: str) -> None:
    """Remember a constant that is added or multiplied, until something else comes."""
    first = is_constant(way.graph, int(operator.inputs[0]))
    value = constant(way.graph, int(operator.inputs[0 if first else 1]))
    if value.dtype != np.float32:
        raise Refused("its integer constant has no scale")
    if first and name == "DIV":
        raise Refused("it divides a constant by what was computed")
    while value.ndim and value.shape[0] == 1 and value.ndim > 1:
        value = value[0]
    shape = way.shape[1:] if way.is_input else way.shape[-1:]
    if way.is_input and way.shape[-1] == 1 and value.shape == way.shape[1:2]:
        value = value[:, None]  # the file has no axis for the one channel
    try:
        value = np.broadcast_to(value, shape).astype(np.float32)
    except ValueError:
        raise Refused(
            f"its constant has shape {value.shape}: one value a channel, or for each bin of the "
            "input, can be read"
        ) from None
    factor = np.ones(shape, np.float32) if way.factor is None else way.factor
    summand = np.zeros(shape, np.float32) if way.summand is None else way.summand
    if name == "DIV":
        factor, summand = factor / value, summand / value
    elif name == "MUL":
        factor, summand = factor * value, summand * value
    else:
        if name == "SUB" and first:
            factor, summand = -factor, -summand
        summand = summand - value if name == "SUB" and not first else summand + value
    way.factor, way.summand = factor, summand
    function = fused(getattr(operator.builtinOptions, "fusedActivationFunction", 0))
    if function != "linear":
        flush(way, int(operator.outputs[0]))
        way.activate(function, int(operator.outputs[0]))


def flush(way: Way, place: int) -> None:
    """Write the remembered factor and summand as a block."""
    if way.factor is None or way.summand is None:
        return
    factor, summand = way.factor, way.summand
    way.factor = way.summand = None
    if way.is_input:
        if not (factor > 0).all():
            raise Refused("it multiplies the input by what is not above 0")
        weights = {
            "normalization/mean": -summand / factor,
            "normalization/variance": 1 / factor**2,
            "normalization/count": np.zeros((), np.float32),
        }
        way.add(Normalize(), weights, place, way.shape)
        return
    channels = (way.shape[-1],)
    weights = {
        "bn/gamma": np.broadcast_to(factor, channels),
        "bn/beta": np.broadcast_to(summand, channels),
        "bn/moving_mean": np.zeros(channels, np.float32),
        "bn/moving_variance": np.full(channels, 1 - _EPSILON, np.float32),
    }
    way.add(ScaleShift(), weights, place, way.shape)
