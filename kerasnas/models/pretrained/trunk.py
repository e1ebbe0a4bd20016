"""A network that was read from a file: blocks, and their weights by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Recorder
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape
from kerasnas.models.pretrained.way import Weights

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Trunk:
    """Blocks with weights.

    Attributes:
        input_shape: `(frames, bins, channels)` of one example.
        blocks: One after the other.
        weights: Of each block, by `operation/weight`, the operation named as inside the block.
        places: Of each block, the tensor of the file that has its output; -1 where the file
            has none.
    """

    input_shape: Shape
    blocks: tuple[Block, ...]
    weights: tuple[Weights, ...]
    places: tuple[int, ...] = ()

    @cached_property
    def architecture(self) -> Architecture:
        """The blocks alone, with their cost."""
        return Architecture(self.input_shape, self.blocks)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of each block's output."""
        net, shapes = Recorder(), []
        x = net.input(self.input_shape)
        for index, block in enumerate(self.blocks):
            with net.scope(f"{index:02d}_{block.kind}"):
                x = block(net, x)
            shapes.append(x.shape)
        return tuple(shapes)

    @property
    def cuts(self) -> tuple[int, ...]:
        """Numbers of blocks, 1 and up, behind which the trunk can end: where pictures come out.

        A normalisation of the input alone is no trunk, and an activation belongs to what is
        before it.
        """
        kinds = [block.kind for block in self.blocks]
        return tuple(
            number
            for number, shape in enumerate(self.shapes, 1)
            if len(shape) == 3
            and kinds[number - 1] not in ("normalize", "depthwise", "reshape")
            and kinds[number : number + 1] != ["activation"]
        )

    def cut(self, number: int) -> Trunk:
        """Return the first blocks.

        Raises:
            KerasnasError: The trunk cannot end there.
        """
        if number not in self.cuts:
            raise KerasnasError(
                f"a trunk cannot be cut behind block {number}: it can be behind "
                f"{', '.join(map(str, self.cuts))}"
            )
        return self[:number]

    def __getitem__(self, blocks: slice) -> Trunk:
        """Return some blocks that lie side by side."""
        first = blocks.indices(len(self.blocks))[0]
        return Trunk(
            self.input_shape if first == 0 else self.shapes[first - 1],
            self.blocks[blocks],
            self.weights[blocks],
            self.places[blocks],
        )

    def on(self, input_shape: Shape) -> Trunk:
        """Return the same blocks on an input of another length.

        Raises:
            KerasnasError: The bins or channels are others than the weights are for.
        """
        if input_shape[1:] != self.input_shape[1:]:
            text = (
                f"the trunk takes {self.input_shape[1]} bins and {self.input_shape[2]} channels, "
                f"not {input_shape[1:]}: "
            )
            if input_shape[1:] == (self.input_shape[0], self.input_shape[2]):
                raise KerasnasError(
                    f"{text}it seems to take bands before frames, and features have frames first: "
                    "write the network again with its axes exchanged"
                )
            raise KerasnasError(
                f"{text}use the features that it was trained on "
                "(features: {kind: log_mel, like: FILE})"
            )
        return replace(self, input_shape=input_shape)

    @cached_property
    def model(self) -> keras.Model:
        """The blocks as a Keras model, to run them; `build` makes one to keep."""
        return self.build()

    def build(self) -> keras.Model:
        """Return a Keras model of stock layers with the trunk's weights."""
        model = self.architecture.build()
        set_weights(model, self.blocks, self.weights)
        return model


def set_weights(
    model: keras.Model, blocks: Sequence[Block], weights: Sequence[Weights], first: int = 0
) -> None:
    """Set weights of a model that an architecture built.

    Args:
        model: Layers have the operations' names.
        blocks: Those that the weights belong to.
        weights: Of each block, by name.
        first: Index of the first of them in the architecture.

    Raises:
        KerasnasError: The model has other layers or shapes.
    """
    layers = {layer.name: layer for layer in model.layers}
    for index, (block, named) in enumerate(zip(blocks, weights, strict=True), first):
        for operation, values in _by_operation(named).items():
            layer = layers.get(f"{index:02d}_{block.kind}.{operation}")
            if layer is None:
                raise KerasnasError(f"block {index + 1} has no operation {operation}")
            own = {weight.name: weight for weight in layer.weights}
            for name, value in values.items():
                if name not in own or tuple(own[name].shape) != value.shape:
                    raise KerasnasError(
                        f"block {index + 1}: weight {operation}/{name} of shape {value.shape} "
                        f"does not fit {[tuple(weight.shape) for weight in layer.weights]}"
                    )
                own[name].assign(value)
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()  # a normalisation computes from what its weights say


def _by_operation(weights: Weights) -> dict[str, dict[str, NDArray[np.float32]]]:
    found: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in weights.items():
        operation, _, weight = name.rpartition("/")
        found.setdefault(operation, {})[weight] = np.asarray(values, np.float32)
    return found
