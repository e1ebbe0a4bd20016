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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.trunk import Convolution, Separable
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained.products import (
    Array,
    activate,
    is_product,
    linear_input,
    rows,
    split,
    widened,
)
from kerasnas.models.pretrained.reading import outputs
from kerasnas.models.pretrained.trunk import Trunk
from kerasnas.models.pretrained.way import Weights

_RIDGE = 1e-3
"""Penalty of changes of the kernel, of the mean square of its inputs."""
_ROWS = 20_000
"""Places of all clips that kernels are fitted on."""


@dataclass(frozen=True, eq=False)
class _Whole:
    """What the whole network computes at a block of it.

    Attributes:
        order: Its channels, those that count most first.
        sums: What its kernel gives at some places, `(places, channels)`.
    """

    order: NDArray[Any]
    sums: Array


class Pruner:
    """Prunes the first blocks of a trunk, in many ways; the whole network is run once for all.

    Args:
        trunk: The blocks.
        activations: Their inputs on training clips, `(clips, frames, bins, channels)`.
        following: What stands behind the blocks in the file, by whose first block the channels of
            the last one count; they count by their own deviation where it has none.
    """

    def __init__(self, trunk: Trunk, activations: NDArray[Any], following: Trunk) -> None:
        self._trunk = trunk
        self._behind = [*zip(trunk.blocks[1:], trunk.weights[1:], strict=True)]
        self._behind += [*zip(following.blocks[:1], following.weights[:1], strict=True)]
        self._activations = activations
        self._whole: list[_Whole | None] = []  # of the blocks that were run so far
        self._last = activations  # what the last of them computes

    def prune(self, keep: Sequence[int]) -> Trunk:
        """Return the first blocks with fewer channels, which compute nearly the same.

        Args:
            keep: Channels of each block's output to keep; as many as it has for all.

        Raises:
            KerasnasError: A block cannot be pruned, or `keep` asks for channels that it has not.
        """
        self._check(keep)
        small = widened(self._activations)
        inputs = np.arange(small.shape[-1])
        blocks, weights = [], []
        for index, count in enumerate(keep):
            block, named = self._trunk.blocks[index], self._trunk.weights[index]
            whole = self._run(index)
            if whole is None:
                small = outputs(self._trunk[index : index + 1], small)
                inputs = np.arange(small.shape[-1])
                blocks.append(block)
                weights.append(named)
                continue
            kept = np.sort(whole.order[:count])
            depthwise, kernel, bias = split(named)
            own = {
                name: values[..., inputs, :] if "kernel" in name else values[inputs]
                for name, values in depthwise.items()
            }
            linear = linear_input(block, own, small)
            shape, linear = linear.shape[:-1], rows(linear)
            chosen, offset = kernel[_kernel_rows(block, kernel, inputs)][:, kept], bias[kept]
            if len(inputs) < trunk_channels(self._trunk, index):
                wanted = whole.sums[:, kept]
                chosen, offset = _refitted(linear[_places(linear)], wanted, chosen, offset)
            small = activate(linear @ chosen + offset, block).reshape(*shape, len(kept))
            blocks.append(_with_filters(block, len(kept)))
            weights.append(_joined(block, own, chosen, offset))
            inputs = kept
        places = (-1,) * len(blocks)
        return Trunk(self._trunk.input_shape, tuple(blocks), tuple(weights), places)

    def _check(self, keep: Sequence[int]) -> None:
        """Refuse what cannot be kept."""
        trunk = self._trunk
        for index, count in enumerate(keep):
            block, channels = trunk.blocks[index], trunk.shapes[index][-1]
            if not 1 <= count <= channels or (count < channels and not can_prune(trunk, index)):
                raise KerasnasError(
                    f"block {index} of those to prune, {block.kind} of {channels} channels, cannot "
                    f"keep {count}: separable blocks and convolutions keep 1 to all, where the "
                    "block behind is one of these, too; others keep all"
                )

    def _run(self, index: int) -> _Whole | None:
        """Return what the whole network computes at a block; None of one that keeps all."""
        while len(self._whole) <= index:
            number = len(self._whole)
            block, named = self._trunk.blocks[number], self._trunk.weights[number]
            x = widened(self._last)
            if not is_product(block):
                self._whole.append(None)
                self._last = outputs(self._trunk[number : number + 1], x)
                continue
            depthwise, kernel, bias = split(named)
            linear = linear_input(block, depthwise, x)
            sums = rows(linear) @ kernel + bias
            some = np.array(sums[_places(sums)])  # the sums' memory is used again
            x = activate(sums, block).reshape(*linear.shape[:-1], -1)
            after = self._behind[number] if number < len(self._behind) else None
            self._whole.append(_Whole(_order(x, after), some))
            self._last = x
        return self._whole[index]


def prune(trunk: Trunk, keep: Sequence[int], activations: Array, following: Trunk) -> Trunk:
    """Prune all blocks of a trunk in one way; see `Pruner`."""
    return Pruner(trunk, activations, following).prune(keep)


def can_prune(trunk: Trunk, index: int) -> bool:
    """Whether a block of a trunk can keep fewer channels: the next one's kernel must follow."""
    nearby = trunk.blocks[index : index + 2]
    return all(map(is_product, nearby))


def trunk_channels(trunk: Trunk, index: int) -> int:
    """Return the channels that a block reads."""
    return (trunk.input_shape if index == 0 else trunk.shapes[index - 1])[-1]


def _kernel_rows(block: Block, kernel: Array, inputs: NDArray[Any]) -> NDArray[Any]:
    """Rows of a kernel, as a matrix, that read some channels."""
    convolution = block.pointwise if isinstance(block, Separable) else block
    assert isinstance(convolution, Convolution)
    window = convolution.kernel_size[0] * convolution.kernel_size[1]
    channels = len(kernel) // window
    return (np.arange(window)[:, None] * channels + inputs).ravel()


def _order(x: Array, after: tuple[Block, Weights] | None) -> NDArray[Any]:
    """Return the channels, those that count most first."""
    if after is not None and is_product(after[0]):
        depthwise, kernel, _ = split(after[1])
        seen = linear_input(after[0], depthwise, x) if depthwise else x
        norms = np.sqrt((kernel.reshape(-1, x.shape[-1], kernel.shape[-1]) ** 2).sum(axis=(0, 2)))
        importance = rows(seen).std(axis=0) * norms
    else:
        importance = rows(x).std(axis=0)
    return np.argsort(-importance, kind="stable")


def _places(x: Array) -> NDArray[Any] | slice:
    """Which rows a kernel is fitted on, the same of all arrays of one length."""
    if len(x) <= _ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(0).choice(len(x), _ROWS, replace=False))


def _refitted(x: Array, wanted: Array, kernel: Array, bias: Array) -> tuple[Array, Array]:
    """Kernel and bias whose sums are nearest to the wanted ones, changed as little as helps."""
    given = np.column_stack([x, np.ones(len(x), np.float32)])
    missing = wanted - x @ kernel - bias
    gram = (given.T @ given).astype(np.float64)
    penalty = _RIDGE * np.trace(gram[:-1, :-1]) / (len(gram) - 1)
    gram[np.diag_indices(len(gram) - 1)] += penalty
    change = np.linalg.solve(gram, given.T @ missing)
    return (kernel + change[:-1]).astype(np.float32), (bias + change[-1]).astype(np.float32)


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
