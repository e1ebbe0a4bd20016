"""Elementary operations of a network as plain data.

Whoever describes a network as a tuple of these gets its cost and the bytes of its TFLite files
without building it. An operation carries the name of the Keras layer that computes it.
Named tuples, since a size-constrained search makes millions of them.

Kinds that are not a plain Keras layer of the same name, with their attributes and the layer that
computes them (shapes without the batch):

- `gru`, `lstm`: `units`, `bidirectional`, `return_sequences`, and `reset_after` for `gru`; `plain`
  is false where activations are others than tanh and sigmoid, or there is a mask or a state that
  goes in or out; `merged` tells how both directions become one where they are not concatenated.
  `(frames, channels)` to `(frames, units)`, or `(units,)` without sequences; twice the units where
  bidirectional (`layers.Bidirectional`, outputs concatenated). Weights in Keras' order: `kernel`,
  `recurrent_kernel`, `bias`, the forward direction's before the backward direction's.
- `reshape`: `layers.Reshape`, such as `(frames, bins, channels)` to `(frames, bins * channels)`.
- `mean_over_frames`: `(frames, channels)` to `(channels,)`, `layers.GlobalAveragePooling1D`.
- `sum_over_frames`: the same sum, `keras.ops.sum(x, axis=1)`.
- `softmax_over_frames`: `layers.Softmax(axis=1)` of `(frames, channels)`.
- `get_item`: the `channels` from the first to below the second of these two, `x[..., a:b]`, or
  the `frames`, `x[:, a:b]`.
- `permute`: `layers.Permute` by its `dims`, counted from 1.
- `conv1d`, `conv2d`, `depthwise_conv1d`, `depthwise_conv2d`, `conv2d_transpose`: `kernel_size`,
  `strides`, and `padding` where it is not `same`.
- `layer_normalization`: over the last axis; whether there is a `scale` and a `center`.
- `multi_head_attention`: without masks; its `heads`, the `key_width` and `value_width` of one, the
  `keys`, how many there are, what the projections of query, key and value read (`reads`, channels),
  and whether there is a `bias`.
- `embedding`: `layers.Embedding` of indices that are given as floats.
- `rescaling`: whether there is an `offset`. `zero_padding2d`: `pads`, before and after, by axis.
- `max_pool2d`, `average_pool2d`: `pool_size`, `strides` where windows overlap or leave gaps, and
  `padding` where it is neither `valid` without strides nor `same` with them.
- `add`, `subtract`, `multiply`, `concatenate` (last axis): Keras' merging layers; frames of one
  channel are multiplied onto all channels, one frame is subtracted from all frames.
- `divide`: `keras.ops.divide(x, y)`.
- `activation`: `function`, by the name Keras gives it (`elu`, `silu`, `softmax`, ...).

`keras.ops` functions become nodes of a functional model, which reload under `safe_mode`; such a
node is named by `keras_model.private.name_operation` before the model is made.
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
            `global_average_pool`, `dropout`, ...; see above for others.
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


RECURRENT = frozenset({"gru", "lstm"})
"""Kinds of layers that take frames in turn."""
