"""Random changes to batches of features: pure functions on arrays `(n, frames, bins, channels)`.

Sources: mixup, Zhang et al., ICLR 2018; Cutout, DeVries & Taylor, "Improved regularization of
convolutional neural networks with Cutout", 2017; masks, Park et al., "SpecAugment", Interspeech
2019; mixing sounds by amplitude, Tokozume et al., "Learning from between-class examples for deep
sound recognition", ICLR 2018 (here on power spectra and without the correction for loudness);
random frequency response, Nam et al., "FilterAugment", ICASSP 2022 (linear version). Clips at other
speeds, in noise and in rooms are made of waveforms, before features (`kerasnas.features.versions`),
and drawn by `Examples.draw`.

What moves or hides frames knows where each example sounds: a sound that is shorter than its frames
stays whole, and masks are as long as it asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.recipe import Augmentation, Cutout, Masks
from kerasnas.training.sounding import Sounding, sounding

Array = NDArray[np.float32]
Batch = tuple[Array, Array]
Indices = NDArray[np.int64]

_RESPONSE_POINTS = 5


def augment(
    x: Array,
    y: Array,
    settings: Augmentation,
    fill: Array,
    rng: np.random.Generator,
    heard: Sounding | None = None,
) -> Batch:
    """Change a batch as `settings` say.

    Args:
        x: Features, `(n, frames, bins, channels)`, or embeddings, `(n, frames, values)`.
        y: Labels, `(n, classes)`.
        settings: What may be changed, and how much.
        fill: `(bins, channels)` or `(values,)`, what masks are filled with.
        rng: Where randomness comes from.
        heard: Where the examples sound; None to read it from `x`, which noise can hide.

    Returns:
        New arrays of the same shapes, float32; labels are fractions after mixup.
    """
    if x.ndim == 3:
        x, y = augment(x[..., None], y, settings, fill[..., None], rng, heard)
        return x[..., 0], y
    heard = sounding(x) if heard is None else heard
    if settings.time_roll or settings.time_shift or settings.time_stretch:
        x, heard = move(x, heard, settings, rng)
    if settings.frequency_shift:
        x = shift_frequency(x, settings.frequency_shift, rng)
    if settings.gain:
        x = x + _uniform(rng, settings.gain, (len(x), 1, 1, 1))
    if settings.filter_gain:
        x = x + frequency_response(len(x), x.shape[2], settings.filter_gain, rng)[:, None, :, None]
    if settings.mixup != "none":
        x, y, heard = mixup(x, y, settings, rng, heard)
    x = mask(x, 1, settings.time_masks, fill, rng, heard)
    x = mask(x, 2, settings.frequency_masks, fill, rng)
    return cut_out(x, settings.cutout, fill, rng, heard), y


def move(
    x: Array, heard: Sounding, settings: Augmentation, rng: np.random.Generator
) -> tuple[Array, Sounding]:
    """Change when examples begin, and their tempo, by the nearest frame.

    An example with padding keeps its whole sound: it moves within the frames, and a slower tempo
    lasts no longer than they do. One without padding rotates (`time_roll`), or moves by up to
    `time_shift` of the frames and is reflected at the edges.

    Returns:
        The examples, and where they sound now.
    """
    n, frames = x.shape[:2]
    length = heard.stop - heard.start
    full = length == frames
    speed = np.exp(rng.uniform(-1, 1, n) * np.log1p(settings.time_stretch))
    speed = np.where(full, speed, np.maximum(speed, length / frames))
    lasts = np.minimum(frames, np.ceil(length / speed).astype(np.int64))
    lasts = np.where(full, frames, lasts)
    start = np.minimum(heard.start, frames - lasts)
    if settings.time_roll or settings.time_shift:
        start = rng.integers(0, frames - lasts + 1)
    time = np.arange(frames) - start[:, None]  # since the sound's first frame
    whole = _whole(time, lasts[:, None], speed[:, None], heard, frames)
    if settings.time_roll:
        first = rng.integers(0, frames, (n, 1))
        cut = (first + np.arange(frames) * speed[:, None]).astype(np.int64) % frames
    else:
        most = round(settings.time_shift * frames)
        first = rng.integers(-most, most + 1, (n, 1))
        cut = _reflected((first + np.arange(frames) * speed[:, None]).astype(np.int64), frames)
    index = np.where(full[:, None], cut, whole)
    return np.take_along_axis(x, index[:, :, None, None], axis=1), Sounding(start, start + lasts)


def _whole(
    time: Indices, lasts: Indices, speed: NDArray[Any], heard: Sounding, frames: int
) -> Indices:
    """Return the frames that give sounds as a whole, with their padding before and after them.

    Args:
        time: Frames since the sound's first one, `(n, frames)`.
        lasts: Frames of the sound at its new tempo, `(n, 1)`.
        speed: The tempo, `(n, 1)`.
        heard: Where the examples sound.
        frames: Of an example.
    """
    length = (heard.stop - heard.start)[:, None]
    sound = heard.start[:, None] + np.minimum((time * speed).astype(np.int64), length - 1)
    padding = heard.stop[:, None] + (time - lasts) % np.maximum(1, frames - length)
    return np.where((time >= 0) & (time < lasts), sound, padding % frames)


def _reflected(index: Indices, frames: int) -> Indices:
    """Return frames beyond the first and the last one as their reflections there."""
    inside: Indices = np.abs((index - frames + 1) % (2 * (frames - 1) or 1) - frames + 1)
    return inside


def shift_frequency(x: Array, most: int, rng: np.random.Generator) -> Array:
    """Move the spectrum by up to `most` bins; the bin at the edge is repeated."""
    n, bins = x.shape[0], x.shape[2]
    index = np.arange(bins) + rng.integers(-most, most + 1, (n, 1))
    return np.take_along_axis(x, np.clip(index, 0, bins - 1)[:, None, :, None], axis=2)


def frequency_response(n: int, bins: int, gain: float, rng: np.random.Generator) -> Array:
    """Random smooth responses within +-gain, `(n, bins)`: linear between evenly spaced points."""
    points = _uniform(rng, gain, (n, _RESPONSE_POINTS))
    position = np.linspace(0, _RESPONSE_POINTS - 1, bins)
    left = np.minimum(position.astype(np.int64), _RESPONSE_POINTS - 2)
    share = (position - left).astype(np.float32)
    return points[:, left] * (1 - share) + points[:, left + 1] * share


def mixup(
    x: Array, y: Array, settings: Augmentation, rng: np.random.Generator, heard: Sounding
) -> tuple[Array, Array, Sounding]:
    """Mix every example with another one of the batch, labels alike.

    With a share s of the first example, its label weighs s. In the domain of powers, amplitudes
    weigh s and 1-s, scaled so that the squares sum to 1: two equally loud sounds stay as loud.

    Returns:
        Mixtures, their labels, and where either of the two sounds.
    """
    n = len(x)
    if settings.mixup == "beta":
        share = rng.beta(settings.mixup_alpha, settings.mixup_alpha, n).astype(np.float32)
    else:
        share = rng.random(n, np.float32)
    other = rng.permutation(n)
    labels = share[:, None] * y + (1 - share[:, None]) * y[other]
    both = heard.union(Sounding(heard.start[other], heard.stop[other]))
    share = share[:, None, None, None]
    if settings.mixup_domain == "features":
        return share * x + (1 - share) * x[other], labels, both
    weight = share**2 / (share**2 + (1 - share) ** 2)
    powers = 10 ** (x / 10)
    mixed = weight * powers + (1 - weight) * powers[other]
    return 10 * np.log10(np.maximum(mixed, np.finfo(np.float32).tiny)), labels, both


def mask(
    x: Array,
    axis: int,
    masks: Masks,
    fill: Array,
    rng: np.random.Generator,
    heard: Sounding | None = None,
) -> Array:
    """Replace stretches of the frames (axis 1) or bins (axis 2) by `fill`.

    Args:
        x: `(n, frames, bins, channels)`.
        axis: 1 or 2.
        masks: How many; their widths are shares of the axis, or of where the examples sound.
        fill: `(bins, channels)`.
        rng: Where randomness comes from.
        heard: Of axis 1: where the examples sound; masks lie there. None for all frames.
    """
    n, size = len(x), x.shape[axis]
    position = np.arange(size) + 0.5  # the middle: the first place is reached as the last one
    first, length = _stretch(heard, n, size)
    for _ in range(masks.count):
        width = rng.uniform(0, masks.width * length)
        start = first + rng.uniform(0, length - width)
        hidden = (position >= start) & (position < start + width)
        shape = (n, size, 1, 1) if axis == 1 else (n, 1, size, 1)
        x = np.where(hidden.reshape(shape), fill, x)
    return x


def cut_out(
    x: Array, settings: Cutout, fill: Array, rng: np.random.Generator, heard: Sounding
) -> Array:
    """Replace rectangles by `fill`; their centres lie anywhere, so that edges cut some of them.

    In time they lie where the examples sound, and are a share of it.
    """
    n, frames, bins = x.shape[:3]
    for _ in range(settings.count):
        inside = []
        for size, share, where in (
            (frames, settings.time, heard),
            (bins, settings.frequency, None),
        ):
            first, length = _stretch(where, n, size)
            centre = first + rng.uniform(0, length)
            inside.append(np.abs(np.arange(size) + 0.5 - centre) < share * length / 2)
        x = np.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], fill, x)
    return x


def _stretch(heard: Sounding | None, n: int, size: int) -> tuple[NDArray[np.int64], ...]:
    """Return the first position and the length of each example's stretch, `(n, 1)` each."""
    if heard is None:
        return np.zeros((n, 1), np.int64), np.full((n, 1), size, np.int64)
    return heard.start[:, None], (heard.stop - heard.start)[:, None]


def _uniform(rng: np.random.Generator, most: float, shape: tuple[int, ...]) -> Array:
    return rng.uniform(-most, most, shape).astype(np.float32)
