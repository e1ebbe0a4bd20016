"""A whole network as a plain description, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from kerasnas.blocks.block import Block, from_json
from kerasnas.blocks.recorder import Recorder
from kerasnas.export.network.arena import predict_arena
from kerasnas.export.network.ops import Op, Shape
from kerasnas.export.network.size import predict_bytes

if TYPE_CHECKING:
    import keras

SizeRule = Literal["float32_params", "float16_file", "int8_file"]

# Computed in place or folded into the operation in front of them.
_IN_PLACE = frozenset({"activation", "batch_norm", "dropout", "reshape"})


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: All scalars in its weights.
        trainable_parameters: Without moving statistics and input normalisation.
        macs: Multiply-accumulates of convolutions, dense and recurrent layers for one example.
        float32_bytes: Predicted bytes of the float32 TFLite file; the next two likewise.
        float16_bytes: ... of the float16 file.
        int8_bytes: ... of the full-integer file.
        peak_activation_bytes: Most bytes of int8 tensors alive at once when operations run in
            order, batch normalisation and activations in place. A runtime's arena is larger by
            its alignment and scratch buffers.
        arena_bytes: Predicted arena of the full-integer file in TensorFlow Lite Micro.
    """

    parameters: int
    trainable_parameters: int
    macs: int
    float32_bytes: int
    float16_bytes: int
    int8_bytes: int
    peak_activation_bytes: int
    arena_bytes: int

    def to_json(self) -> dict[str, int]:
        """All figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Architecture:
    """A network: blocks one after another on an input of `(frames, bins, channels)`.

    Attributes:
        input_shape: That.
        blocks: In order of computation.
        causal: Whether no frame is computed from later ones; see `Recorder`.
    """

    input_shape: Shape
    blocks: tuple[Block, ...]
    causal: bool = False

    @cached_property
    def ops(self) -> tuple[Op, ...]:
        """Its elementary operations in order; names start with the block's index and kind."""
        net = Recorder(self.causal)
        x = net.input(self.input_shape)
        for index, block in enumerate(self.blocks):
            with net.scope(f"{index:02d}_{block.kind}"):
                x = block(net, x)
        return tuple(net.ops)

    def build(self) -> keras.Model:
        """Return a Keras model of stock layers, one for each operation and by its name."""
        from kerasnas.blocks.keras_layers import build

        return build(self.ops)

    def cost(self) -> Cost:
        """Everything in `Cost`, without building the network."""
        return Cost(
            parameters=sum(op.parameters for op in self.ops),
            trainable_parameters=self._trainable_parameters(),
            macs=sum(op.macs for op in self.ops),
            float32_bytes=predict_bytes(self.ops, "float32"),
            float16_bytes=predict_bytes(self.ops, "float16"),
            int8_bytes=predict_bytes(self.ops, "full_int8"),
            peak_activation_bytes=_peak_activations(self.ops),
            arena_bytes=predict_arena(self.ops),
        )

    def size(self, rule: SizeRule) -> int:
        """Bytes by a named rule.

        Args:
            rule: `float32_params` counts trainable parameters times four (Wu & Lee's published
                code: weights and the scale and shift of batch normalisation, without its moving
                statistics); `float16_file` and `int8_file` predict the TFLite file.
        """
        if rule == "float32_params":
            return 4 * self._trainable_parameters()
        return predict_bytes(self.ops, "float16" if rule == "float16_file" else "full_int8")

    def _trainable_parameters(self) -> int:
        return sum(w.size for op in self.ops for w in op.weights if w.trainable)

    def to_json(self) -> dict[str, Any]:
        """Input shape, blocks, and whether it is causal."""
        return {
            "input_shape": list(self.input_shape),
            "blocks": [block.to_json() for block in self.blocks],
            "causal": self.causal,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Architecture:
        """Return the architecture that `to_json` wrote."""
        blocks = tuple(from_json(block) for block in data["blocks"])
        return cls(tuple(data["input_shape"]), blocks, data["causal"])


def _peak_activations(ops: tuple[Op, ...]) -> int:
    buffer: dict[str, str] = {}  # operation -> the operation whose buffer holds its output
    sizes: dict[str, int] = {}
    last_use: dict[str, int] = {}
    for index, op in enumerate(ops):
        for name in op.inputs:
            last_use[buffer[name]] = index
        if op.kind in _IN_PLACE:
            buffer[op.name] = buffer[op.inputs[0]]
        else:
            buffer[op.name] = op.name
            sizes[op.name] = prod(op.output_shape)
        last_use[buffer[op.name]] = index
    starts = {op.name: index for index, op in enumerate(ops)}
    return max(
        sum(size for name, size in sizes.items() if starts[name] <= index <= last_use[name])
        for index in range(len(ops))
    )
