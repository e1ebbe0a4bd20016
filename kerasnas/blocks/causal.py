"""What makes a network causal: no frame is computed from later ones. No paper here has this.

Convolutions are padded along frames at the beginning alone, by their kernel's length less their
stride (or leave frames out there, where the stride is longer), so that every place ends where its
stride ends. Strides leave no part of themselves at the
end: `frames // stride` places are left, as of poolings side by side. So what a network makes of its
frames is the same however it is cut into pieces of all its strides' product, and a file can go
step by step (`kerasnas.export.keras_model.step`). What looks ahead is refused by its name.
"""

from __future__ import annotations

from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape

Pair = tuple[int, int]


def pads_before(shape: Shape, kernel_size: Pair, strides: Pair) -> tuple[int, tuple[Pair, Pair]]:
    """Return how a convolution without padding of its own becomes causal.

    Bins are padded on both sides, as by the padding `same`.

    Args:
        shape: Of its input, `(frames, bins, channels)`.
        kernel_size: Frames, bins.
        strides: Frames, bins.

    Returns:
        How many frames are left out at the beginning, where a kernel is shorter than its stride;
        then zeros before and after the frames, and before and after the bins.
    """
    bins, (length, width), (stride, across) = shape[1], kernel_size, strides
    missing = max((-(-bins // across) - 1) * across + width - bins, 0)
    pads = (max(length - stride, 0), 0), (missing // 2, missing - missing // 2)
    return max(stride - length, 0), pads


def check_pool(name: str, frames: int, length: int, stride: int, padding: str) -> None:
    """Refuse windows of frames that reach beyond their stride, or a place beyond the last stride.

    Raises:
        KerasnasError: They do.
    """
    rest = frames % stride
    if length > stride or (rest > 0 if padding == "same" else rest >= length):
        why = f"pools {length} frames, {stride} apart, with the padding {padding!r}"
        raise looks_ahead(name, why)


def looks_ahead(name: str, why: str) -> KerasnasError:
    """Return the refusal of an operation in a causal network."""
    return KerasnasError(
        f"{name!r} {why}: it looks ahead, which a causal network cannot; leave it out, or leave "
        "causal at false"
    )
