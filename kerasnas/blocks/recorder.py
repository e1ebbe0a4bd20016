"""The primitives that blocks are written in.

A block calls these methods on symbolic tensors; each call appends one `Op`. The resulting tuple
is everything that is known of a network: Keras layers, cost, pictures and predicted file sizes
are all read from it, so that no block repeats its shapes or its arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, Literal, NamedTuple

from kerasnas.blocks.causal import check_pool, looks_ahead, pads_before
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Op, Shape, Weight

Pair = tuple[int, int]
Padding = Literal["same", "valid"]


class Tensor(NamedTuple):
    """Output of the operation `name`, of `shape` without the batch dimension."""

    name: str
    shape: Shape


class Recorder:
    """Records operations in the order in which they are called.

    Tensors are `(frames, bins, channels)` until a pooling over both axes makes them `(channels,)`,
    or `(frames, channels)` between a reshaping and a mean over frames. Multiply-accumulates count
    convolutions, dense and recurrent layers, once, for one example; normalisation, activations,
    additions, products and pooling count nothing (the papers' convention).

    Args:
        causal: Whether no frame is computed from later ones; see `kerasnas.blocks.causal`.
    """

    def __init__(self, causal: bool = False) -> None:
        self.ops: list[Op] = []
        self._causal = causal
        self._names: set[str] = set()
        self._without_frames: set[str] = set()
        self._prefix = ""

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Put `name.` in front of the names of all operations recorded inside."""
        outer = self._prefix
        self._prefix = f"{outer}{name}."
        try:
            yield
        finally:
            self._prefix = outer

    def _record(
        self,
        kind: str,
        name: str,
        inputs: tuple[Tensor, ...],
        shape: Shape,
        weights: tuple[Weight, ...] = (),
        macs: int = 0,
        **attributes: Any,
    ) -> Tensor:
        full = f"{self._prefix}{name}"
        if full in self._names:
            raise ValueError(f"two operations are called {full!r}: give each its own name")
        if 0 in shape:
            raise KerasnasError(
                f"the input of {full!r} has shape {inputs[0].shape}, which is too small for it: "
                "use more frames or mel bins, or fewer strides and poolings"
            )
        self._names.add(full)
        sources = tuple([tensor.name for tensor in inputs])
        if self._causal:
            self._follow_frames(full, sources, shape)
        self.ops.append(Op(kind, full, sources, shape, weights, macs, attributes))
        return Tensor(full, shape)

    def _follow_frames(self, name: str, sources: tuple[str, ...], shape: Shape) -> None:
        """Note whether an output is of a whole clip, and refuse what joins such with frames."""
        whole = [source in self._without_frames for source in sources]
        if any(whole) and not all(whole):
            raise looks_ahead(name, "joins frames with what was read from the whole clip")
        if any(whole) or (sources and len(shape) == 1):
            self._without_frames.add(name)

    def input(self, shape: Shape) -> Tensor:
        """Return the network's input."""
        return self._record("input", "input", (), shape)

    def normalization(self, x: Tensor, name: str = "normalization") -> Tensor:
        """Subtract a mean and divide by a deviation, one of each for every bin and channel."""
        statistics = x.shape[1:]
        weights = (
            Weight("mean", statistics, trainable=False),
            Weight("variance", statistics, trainable=False),
            Weight("count", (), trainable=False),
        )
        return self._record("normalization", name, (x,), x.shape, weights)

    def conv2d(
        self,
        x: Tensor,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        bias: bool = False,
        name: str = "conv",
        padding: Padding = "same",
    ) -> Tensor:
        """Convolution.

        With zero padding (`same`), frames and bins are divided by the strides, rounded up; without
        (`valid`), only whole kernels count. A causal network rounds frames down.
        """
        x, padding = self._padded(x, kernel_size, strides, padding, name)
        shape = (*_places(x.shape, kernel_size, strides, padding), filters)
        kernel = Weight("kernel", (*kernel_size, x.shape[-1], filters))
        weights = (kernel, Weight("bias", (filters,))) if bias else (kernel,)
        return self._convolution("conv2d", name, x, shape, weights, kernel_size, strides, padding)

    def depthwise_conv2d(
        self,
        x: Tensor,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        name: str = "depthwise",
        bias: bool = False,
        padding: Padding = "same",
        multiplier: int = 1,
    ) -> Tensor:
        """`multiplier` filters for every channel, with padding as in `conv2d`."""
        x, padding = self._padded(x, kernel_size, strides, padding, name)
        channels = x.shape[-1] * multiplier
        shape = (*_places(x.shape, kernel_size, strides, padding), channels)
        kernel = Weight("kernel", (*kernel_size, x.shape[-1], multiplier))
        weights = (kernel, Weight("bias", (channels,))) if bias else (kernel,)
        return self._convolution(
            "depthwise_conv2d", name, x, shape, weights, kernel_size, strides, padding
        )

    def _padded(
        self, x: Tensor, kernel_size: Pair, strides: Pair, padding: Padding, name: str
    ) -> tuple[Tensor, Padding]:
        """Return what a convolution reads, and its padding, which stands before it if causal."""
        if not self._causal or (kernel_size[0], strides[0]) == (1, 1):
            return x, padding
        if padding == "valid":
            why = "has the padding 'valid', whose first place needs later frames"
            raise looks_ahead(f"{self._prefix}{name}", why)
        (frames, bins, channels), (first, pads) = (
            x.shape,
            pads_before(x.shape, kernel_size, strides),
        )
        if first:
            kept = (max(frames - first, 0), bins, channels)
            x = self._record("get_item", f"{name}_last", (x,), kept, frames=(first, frames))
            frames -= first
        if any(map(any, pads)):
            shape = (frames + sum(pads[0]), bins + sum(pads[1]), channels)
            x = self._record("zero_padding2d", f"{name}_pad", (x,), shape, pads=pads)
        return x, "valid"

    def _convolution(
        self,
        kind: str,
        name: str,
        x: Tensor,
        shape: Shape,
        weights: tuple[Weight, ...],
        kernel_size: Pair,
        strides: Pair,
        padding: Padding,
    ) -> Tensor:
        attributes: dict[str, Any] = {"kernel_size": kernel_size, "strides": strides}
        if padding == "valid":
            attributes["padding"] = padding
        macs = shape[0] * shape[1] * weights[0].size
        return self._record(kind, name, (x,), shape, weights, macs, **attributes)

    def dense(
        self,
        x: Tensor,
        units: int,
        bias: bool = True,
        trainable: bool = True,
        name: str = "dense",
    ) -> Tensor:
        """Dense layer over the last axis; one that is not trainable starts with zeros."""
        kernel = Weight("kernel", (x.shape[-1], units), trainable)
        weights = (kernel, Weight("bias", (units,), trainable)) if bias else (kernel,)
        shape = (*x.shape[:-1], units)
        macs = prod(x.shape[:-1]) * kernel.size
        return self._record("dense", name, (x,), shape, weights, macs)

    def batch_norm(self, x: Tensor, name: str = "bn") -> Tensor:
        """Batch normalisation over the last axis."""
        channels = (x.shape[-1],)
        weights = (
            Weight("gamma", channels),
            Weight("beta", channels),
            Weight("moving_mean", channels, trainable=False),
            Weight("moving_variance", channels, trainable=False),
        )
        return self._record("batch_norm", name, (x,), x.shape, weights)

    def activation(self, x: Tensor, function: str, name: str | None = None) -> Tensor:
        """Apply `function`, by the name Keras gives it (`silu` is swish with beta 1)."""
        return self._record("activation", name or function, (x,), x.shape, function=function)

    def add(self, x: Tensor, y: Tensor, name: str = "add") -> Tensor:
        """Elementwise sum of two tensors of one shape."""
        return self._record("add", name, (x, y), x.shape)

    def subtract(self, x: Tensor, y: Tensor, name: str = "subtract") -> Tensor:
        """`x` minus `y`; where `y` is one frame, it is subtracted from every frame of `x`."""
        if self._causal and x.shape[0] != y.shape[0]:
            raise looks_ahead(f"{self._prefix}{name}", "subtracts a mean over the frames")
        return self._record("subtract", name, (x, y), x.shape)

    def multiply(self, x: Tensor, y: Tensor, name: str = "multiply") -> Tensor:
        """Elementwise product; a `y` of one channel is multiplied onto all channels of `x`."""
        return self._record("multiply", name, (x, y), x.shape)

    def divide(self, x: Tensor, y: Tensor, name: str = "divide") -> Tensor:
        """Elementwise quotient of two tensors of one shape."""
        return self._record("divide", name, (x, y), x.shape)

    def concatenate(self, *tensors: Tensor, name: str = "concatenate") -> Tensor:
        """Return the channels of the first of some tensors, then those of the second, and so on."""
        shape = (*tensors[0].shape[:-1], sum(tensor.shape[-1] for tensor in tensors))
        return self._record("concatenate", name, tensors, shape)

    def channels(self, x: Tensor, first: int, end: int, name: str) -> Tensor:
        """Return the channels from `first` to below `end`."""
        shape = (*x.shape[:-1], end - first)
        return self._record("get_item", name, (x,), shape, channels=(first, end))

    def frames(self, x: Tensor, first: int, end: int, name: str) -> Tensor:
        """Return the frames from `first` to below `end`."""
        if self._causal:
            raise looks_ahead(f"{self._prefix}{name}", "takes some of the frames")
        shape = (end - first, *x.shape[1:])
        return self._record("get_item", name, (x,), shape, frames=(first, end))

    def shuffle_channels(self, x: Tensor, groups: int, name: str = "shuffle") -> Tensor:
        """Deal channels out: the first of every group, the second of every group, and so on."""
        frames, bins, channels = x.shape
        grouped = (frames * bins, groups, channels // groups)
        y = self.reshape(x, grouped, f"{name}_grouped")
        dealt = (grouped[0], grouped[2], grouped[1])
        y = self._record("permute", f"{name}_dealt", (y,), dealt, dims=(1, 3, 2))
        return self.reshape(y, x.shape, name)

    def max_pool2d(
        self,
        x: Tensor,
        pool_size: Pair,
        strides: Pair | None = None,
        name: str = "pool",
        padding: Padding | None = None,
    ) -> Tensor:
        """Maximum over windows of `pool_size`.

        Without strides, windows lie side by side; `padding` is `valid`, which leaves a rest out,
        unless it is given. With strides it is `same` unless it is given: windows reach beyond the
        edges, as a convolution's do.
        """
        return self._pool("max_pool2d", x, pool_size, strides, name, padding)

    def average_pool2d(
        self,
        x: Tensor,
        pool_size: Pair,
        name: str = "pool",
        strides: Pair | None = None,
        padding: Padding | None = None,
    ) -> Tensor:
        """Mean over windows, as in `max_pool2d`; what lies beyond the edges does not count."""
        return self._pool("average_pool2d", x, pool_size, strides, name, padding)

    def _pool(
        self,
        kind: str,
        x: Tensor,
        pool_size: Pair,
        strides: Pair | None,
        name: str,
        padding: Padding | None,
    ) -> Tensor:
        usual: Padding = "valid" if strides is None else "same"
        padding = padding or usual
        places = _places(x.shape, pool_size, strides or pool_size, padding)
        if self._causal:
            stride = (strides or pool_size)[0]
            check_pool(f"{self._prefix}{name}", x.shape[0], pool_size[0], stride, padding)
        attributes: dict[str, Any] = {"pool_size": pool_size}
        if strides is not None:
            attributes["strides"] = strides
        if padding != usual:
            attributes["padding"] = padding
        return self._record(kind, name, (x,), (*places, x.shape[-1]), **attributes)

    def global_average_pool(self, x: Tensor, name: str = "pool") -> Tensor:
        """Mean over frames and bins: `(channels,)` is left."""
        return self._record("global_average_pool", name, (x,), (x.shape[-1],))

    def mean_over_frames(self, x: Tensor, name: str = "mean") -> Tensor:
        """Mean of `(frames, channels)` over the frames: `(channels,)` is left."""
        return self._record("mean_over_frames", name, (x,), x.shape[1:])

    def flatten_bins(self, x: Tensor, name: str = "flatten_bins") -> Tensor:
        """`(frames, bins, channels)` as `(frames, bins * channels)`."""
        return self.reshape(x, (x.shape[0], prod(x.shape[1:])), name)

    def flatten(self, x: Tensor, name: str = "flatten") -> Tensor:
        """All values one after the other, frame by frame."""
        return self.reshape(x, (prod(x.shape),), name)

    def reshape(self, x: Tensor, shape: Shape, name: str = "reshape") -> Tensor:
        """Return the same values, in the same order, in another shape."""
        return self._record("reshape", name, (x,), shape)

    def gru(
        self,
        x: Tensor,
        units: int,
        bidirectional: bool = False,
        return_sequences: bool = True,
        name: str = "gru",
    ) -> Tensor:
        """Gated recurrent units: `(frames, channels)` to `(frames, units)`, or to `(units,)`.

        Twice the units where bidirectional: the forward direction's, then the backward one's.
        Without sequences, each direction's state after all frames. Both products have a bias
        (Keras' `reset_after`).
        """
        self._check_direction(name, bidirectional)
        biases = (2, 3 * units)
        return self._recurrent(
            "gru", name, x, units, 3, biases, bidirectional, return_sequences, reset_after=True
        )

    def lstm(
        self,
        x: Tensor,
        units: int,
        bidirectional: bool = False,
        return_sequences: bool = True,
        name: str = "lstm",
    ) -> Tensor:
        """Long short-term memory, of shapes as in `gru`."""
        self._check_direction(name, bidirectional)
        biases = (4 * units,)
        return self._recurrent("lstm", name, x, units, 4, biases, bidirectional, return_sequences)

    def _check_direction(self, name: str, bidirectional: bool) -> None:
        if self._causal and bidirectional:
            raise looks_ahead(
                f"{self._prefix}{name}", "is bidirectional and reads the last frame first"
            )

    def _recurrent(
        self,
        kind: str,
        name: str,
        x: Tensor,
        units: int,
        gates: int,
        biases: Shape,
        bidirectional: bool,
        return_sequences: bool,
        **attributes: Any,
    ) -> Tensor:
        direction = (
            Weight("kernel", (x.shape[-1], gates * units)),
            Weight("recurrent_kernel", (units, gates * units)),
            Weight("bias", biases),
        )
        directions = 2 if bidirectional else 1
        macs = x.shape[0] * directions * (direction[0].size + direction[1].size)
        outputs = (directions * units,)
        return self._record(
            kind,
            name,
            (x,),
            (x.shape[0], *outputs) if return_sequences else outputs,
            direction * directions,
            macs,
            units=units,
            bidirectional=bidirectional,
            return_sequences=return_sequences,
            **attributes,
        )

    def dropout(self, x: Tensor, rate: float, name: str = "dropout") -> Tensor:
        """Drop the share `rate` of the inputs while training."""
        return self._record("dropout", name, (x,), x.shape, rate=rate)


def _places(shape: Shape, window: Pair, strides: Pair, padding: Padding) -> Pair:
    """How many places a window takes in turn, along frames and along bins."""
    if padding == "same":
        return -(-shape[0] // strides[0]), -(-shape[1] // strides[1])
    frames, bins = (
        max(0, (size - width) // stride + 1)
        for size, width, stride in zip(shape[:2], window, strides, strict=True)
    )
    return frames, bins
