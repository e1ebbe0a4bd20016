"""How many frames a layer needs: what the `step` form has to know of convolutions and poolings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import ExportError

_SIZES = {  # what says how many frames a layer looks at
    "AveragePooling1D": "pool_size",
    "AveragePooling2D": "pool_size",
    "Conv1D": "kernel_size",
    "Conv2D": "kernel_size",
    "DepthwiseConv1D": "kernel_size",
    "DepthwiseConv2D": "kernel_size",
    "MaxPooling1D": "pool_size",
    "MaxPooling2D": "pool_size",
    "SeparableConv1D": "kernel_size",
    "SeparableConv2D": "kernel_size",
}


class Frames(NamedTuple):
    """Frames of a tensor.

    Attributes:
        clip: That it has in the whole network, without padding.
        step: That it has in one step, without those before it.
        before: Earlier frames, or zeros, that stand before them; negative where so many of the
            first ones are left out.
    """

    clip: int
    step: int
    before: int = 0


class Window(NamedTuple):
    """What a layer looks at along frames.

    Attributes:
        length: Frames from the first to the last that it reads for one place.
        stride: Frames between two places.
        padding: By the name Keras gives it.
    """

    length: int
    stride: int
    padding: str

    @property
    def own(self) -> int:
        """How many zeros the layer itself puts before the frames."""
        return self.length - 1 if self.padding == "causal" else 0


class LongerStep(Exception):  # noqa: N818
    """A step must have so many times the frames."""

    def __init__(self, factor: int) -> None:
        super().__init__(factor)
        self.factor = factor


def window_of(layer: Any) -> Window | None:
    """Return what a layer looks at; None for one that is no convolution or pooling."""
    name = _SIZES.get(type(layer).__name__)
    if name is None:
        return None
    size, stride, apart = (
        int(np.atleast_1d(value)[0])
        for value in (getattr(layer, name), layer.strides, getattr(layer, "dilation_rate", 1))
    )
    return Window((size - 1) * apart + 1, stride, layer.padding)


def places(name: str, window: Window, frames: Frames) -> Frames:
    """Return the frames of a layer's output.

    Args:
        name: Of the layer.
        window: What it looks at.
        frames: Of what it reads, its own zeros among those before.

    Raises:
        ExportError: A place needs frames that come after its stride, or a clip has a place that no
            whole step gives.
        LongerStep: A step is no multiple of its stride.
    """
    length, stride, padding = window
    if (length, stride) == (1, 1):
        return frames
    last = frames.clip // stride
    if padding == "same":
        fits, found = length <= stride and not frames.before, -(-frames.clip // stride)
    else:
        fits = frames.before >= length - stride
        found = (frames.clip + frames.before - length) // stride + 1
    if not fits or found > last:
        raise ExportError(
            f"the layer {name!r} needs more than the frames that were there: it reads {length}, "
            f"{stride} apart, with the padding {padding!r} and {frames.before} frames before them; "
            f"pad {max(length - stride, 0)} frames before and none behind, as model.causal does, "
            "and leave no part of a stride at the end"
        )
    if frames.step % stride:
        raise LongerStep(stride // int(np.gcd(frames.step, stride)))
    return Frames(last, frames.step // stride)
