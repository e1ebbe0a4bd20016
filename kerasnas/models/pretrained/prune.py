"""Pruning of channels without gradients.

A channel counts by the deviation of what the next block's depthwise convolution makes of it, times
the norm of its row in that block's pointwise kernel. The channels that count least are dropped,
and the next pointwise kernel is fitted anew, by ridge regression, to the sums that the whole
network has there; then the block after it, on what the pruned network computes. No labels are
used. Related: He et al., "Channel pruning for accelerating very deep neural networks", ICCV 2017,
which choose channels by lasso.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.trunk import Convolution, Separable
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained.trunk import Trunk
from kerasnas.models.pretrained.way import Weights

Array = NDArray[np.float32]

_RIDGE = 1e-3
"""Penalty of changes of the kernel, of the mean square of its inputs."""
_ROWS = 20_000
"""Places of all clips that kernels are fitted on."""


def is_prunable(block: Block) -> bool:
    """Whether channels of a block's output can be dropped, and a kernel behind them fitted."""
    if isinstance(block, Separable):
        return block.depthwise.multiplier == 1
    return isinstance(block, Convolution)


def prune(trunk: Trunk, keep: Sequence[int], activations: Array, following: Trunk) -> Trunk:
    """Return blocks with fewer channels that compute nearly the same.

    Args:
        trunk: Separable blocks and convolutions.
        keep: Channels of each block's output to keep; as many as it has for all.
        activations: The blocks' inputs on training clips, `(clips, frames, bins, channels)`.
        following: What stands behind the blocks in the file, by whose first block the channels of
            the last one count; they count by their own deviation where it has none.

    Raises:
        KerasnasError: A block cannot be pruned, or `keep` asks for channels that it has not.
    """
    for number, (block, count, shape) in enumerate(
        zip(trunk.blocks, keep, trunk.shapes, strict=True)
    ):
        if not is_prunable(block) or not 1 <= count <= shape[-1]:
            raise KerasnasError(
                f"block {number} of those to prune, {block.kind} of {shape[-1]} channels, cannot "
                f"keep {count}: separable blocks and convolutions keep 1 to all"
            )
    whole = np.asarray(activations, np.float32)
    small, inputs = whole, np.arange(whole.shape[-1])
    rows = np.random.default_rng(0)
    blocks, weights = [], []
    behind = [*zip(trunk.blocks[1:], trunk.weights[1:], strict=True)]
    behind += [*zip(following.blocks[:1], following.weights[:1], strict=True)]
    for index, (block, named) in enumerate(zip(trunk.blocks, trunk.weights, strict=True)):
        depthwise, kernel, bias = _split(named)
        sums = _rows(_linear_input(block, depthwise, whole)) @ kernel + bias
        shape = (len(whole), *trunk.shapes[index])
        whole = _activate(sums, block).reshape(shape)
        after = behind[index] if index < len(behind) else None
        kept = _kept(whole, keep[index], after)
        own = {
            name: values[..., inputs, :] for name, values in depthwise.items() if "kernel" in name
        }
        own |= {name: values[inputs] for name, values in depthwise.items() if "bias" in name}
        linear = _rows(_linear_input(block, own, small))
        chosen = kernel[_kernel_rows(block, kernel, inputs)][:, kept]
        offset = bias[kept]
        if len(inputs) < trunk_channels(trunk, index):
            chosen, offset = _refitted(linear, sums[:, kept], chosen, offset, rows)
        small = _activate(linear @ chosen + offset, block).reshape(*shape[:-1], len(kept))
        blocks.append(_with_filters(block, len(kept)))
        weights.append(_joined(block, own, chosen, offset))
        inputs = kept
    return Trunk(trunk.input_shape, tuple(blocks), tuple(weights), (-1,) * len(blocks))


def trunk_channels(trunk: Trunk, index: int) -> int:
    """Return the channels that a block reads."""
    return (trunk.input_shape if index == 0 else trunk.shapes[index - 1])[-1]


def _split(named: Weights) -> tuple[dict[str, Array], Array, Array]:
    """Weights of the depthwise part, and kernel and bias of the other one, as a matrix."""
    depthwise = {name: values for name, values in named.items() if name.startswith("depthwise.")}
    prefix = "pointwise.conv" if depthwise else "conv"
    kernel = named[f"{prefix}/kernel"]
    return depthwise, kernel.reshape(-1, kernel.shape[-1]), named[f"{prefix}/bias"]


def _linear_input(block: Block, depthwise: dict[str, Array], x: Array) -> Array:
    """What a block multiplies by its kernel, at every place."""
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


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _kernel_rows(block: Block, kernel: Array, inputs: NDArray[Any]) -> NDArray[Any]:
    """Rows of a kernel, as a matrix, that read some channels."""
    convolution = block.pointwise if isinstance(block, Separable) else block
    assert isinstance(convolution, Convolution)
    window = convolution.kernel_size[0] * convolution.kernel_size[1]
    channels = len(kernel) // window
    return (np.arange(window)[:, None] * channels + inputs).ravel()


def _kept(x: Array, count: int, after: tuple[Block, Weights] | None) -> NDArray[Any]:
    """The channels that count most, in order."""
    if count == x.shape[-1]:
        return np.arange(count)
    if after is not None and is_prunable(after[0]):
        depthwise, kernel, _ = _split(after[1])
        seen = _linear_input(after[0], depthwise, x) if depthwise else x
        norms = np.sqrt((kernel.reshape(-1, x.shape[-1], kernel.shape[-1]) ** 2).sum(axis=(0, 2)))
        importance = _rows(seen).std(axis=0) * norms
    else:
        importance = _rows(x).std(axis=0)
    return np.sort(np.argsort(-importance, kind="stable")[:count])


def _refitted(
    x: Array, wanted: Array, kernel: Array, bias: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Kernel and bias whose sums are nearest to the wanted ones, changed as little as helps."""
    if len(x) > _ROWS:
        rows = rng.choice(len(x), _ROWS, replace=False)
        x, wanted = x[rows], wanted[rows]
    given = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    missing = wanted - x @ kernel - bias
    gram = given.T @ given
    penalty = _RIDGE * np.trace(gram[:-1, :-1]) / (len(gram) - 1)
    gram[np.diag_indices(len(gram) - 1)] += penalty
    change = np.linalg.solve(gram, given.T @ missing)
    return (kernel + change[:-1]).astype(np.float32), (bias + change[-1]).astype(np.float32)


def _activate(sums: Array, block: Block) -> Array:
    convolution = block.pointwise if isinstance(block, Separable) else block
    assert isinstance(convolution, Convolution)
    return _function(sums, convolution.activation)


def _function(x: Array, name: str) -> Array:
    if name == "linear":
        return x
    if name in ("relu", "relu6"):
        return np.clip(x, 0, 6 if name == "relu6" else None)
    import keras

    return np.asarray(keras.activations.get(name)(x))


def _with_filters(block: Block, filters: int) -> Block:
    if isinstance(block, Separable):
        return replace(block, pointwise=replace(block.pointwise, filters=filters))
    assert isinstance(block, Convolution)
    return replace(block, filters=filters)


def _joined(block: Block, depthwise: dict[str, Array], kernel: Array, bias: Array) -> Weights:
    convolution = block.pointwise if isinstance(block, Separable) else block
    assert isinstance(convolution, Convolution)
    prefix = "pointwise.conv" if depthwise else "conv"
    shape = (*convolution.kernel_size, -1, kernel.shape[-1])
    return {**depthwise, f"{prefix}/kernel": kernel.reshape(shape), f"{prefix}/bias": bias}
