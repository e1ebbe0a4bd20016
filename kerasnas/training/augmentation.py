"""Random changes to batches of features: pure functions on arrays `(n, frames, bins, channels)`.

Sources: mixup, Zhang et al., ICLR 2018; Cutout, DeVries & Taylor, "Improved regularization of
convolutional neural networks with Cutout", 2017; masks, Park et al., "SpecAugment", Interspeech
2019; mixing sounds by amplitude, Tokozume et al., "Learning from between-class examples for deep
sound recognition", ICLR 2018 (here on power spectra and without the correction for loudness);
random frequency response, Nam et al., "FilterAugment", ICASSP 2022 (linear version). Clips at other
speeds (Ko et al., "Audio augmentation for speech recognition", Interspeech 2015) are made of
waveforms, before features, and drawn by `Examples.any_version`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.recipe import Augmentation, Cutout, Masks

Array = NDArray[np.float32]
Batch = tuple[Array, Array]

_RESPONSE_POINTS = 5


def augment(
    x: Array, y: Array, settings: Augmentation, fill: Array, rng: np.random.Generator
) -> Batch:
    """Change a batch as `settings` say.

    Args:
        x: Features, `(n, frames, bins, channels)`, or embeddings, `(n, frames, values)`.
        y: Labels, `(n, classes)`.
        settings: What may be changed, and how much.
        fill: `(bins, channels)` or `(values,)`, what masks are filled with.
        rng: Where randomness comes from.

    Returns:
        New arrays of the same shapes, float32; labels are fractions after mixup.
    """
    if x.ndim == 3:
        x, y = augment(x[..., None], y, settings, fill[..., None], rng)
        return x[..., 0], y
    if settings.time_roll or settings.time_stretch:
        x = roll_and_stretch(x, settings.time_roll, settings.time_stretch, rng)
    if settings.frequency_shift:
        x = shift_frequency(x, settings.frequency_shift, rng)
    if settings.gain:
        x = x + _uniform(rng, settings.gain, (len(x), 1, 1, 1))
    if settings.filter_gain:
        x = x + frequency_response(len(x), x.shape[2], settings.filter_gain, rng)[:, None, :, None]
    if settings.mixup != "none":
        x, y = mixup(x, y, settings, rng)
    x = mask(x, 1, settings.time_masks, fill, rng)
    x = mask(x, 2, settings.frequency_masks, fill, rng)
    return cut_out(x, settings.cutout, fill, rng), y


def roll_and_stretch(x: Array, roll: bool, stretch: float, rng: np.random.Generator) -> Array:
    """Rotate the frames and change the tempo, by the nearest frame; ends meet."""
    n, frames = x.shape[:2]
    start = rng.integers(0, frames, (n, 1)) if roll else np.zeros((n, 1), np.int64)
    speed = np.exp(rng.uniform(-1, 1, (n, 1)) * np.log1p(stretch))
    index = (start + np.arange(frames) * speed).astype(np.int64) % frames
    return np.take_along_axis(x, index[:, :, None, None], axis=1)


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


def mixup(x: Array, y: Array, settings: Augmentation, rng: np.random.Generator) -> Batch:
    """Mix every example with another one of the batch, labels alike.

    With a share s of the first example, its label weighs s. In the domain of powers, amplitudes
    weigh s and 1-s, scaled so that the squares sum to 1: two equally loud sounds stay as loud.
    """
    n = len(x)
    if settings.mixup == "beta":
        share = rng.beta(settings.mixup_alpha, settings.mixup_alpha, n).astype(np.float32)
    else:
        share = rng.random(n, np.float32)
    other = rng.permutation(n)
    labels = share[:, None] * y + (1 - share[:, None]) * y[other]
    share = share[:, None, None, None]
    if settings.mixup_domain == "features":
        return share * x + (1 - share) * x[other], labels
    weight = share**2 / (share**2 + (1 - share) ** 2)
    powers = 10 ** (x / 10)
    mixed = weight * powers + (1 - weight) * powers[other]
    return 10 * np.log10(np.maximum(mixed, np.finfo(np.float32).tiny)), labels


def mask(x: Array, axis: int, masks: Masks, fill: Array, rng: np.random.Generator) -> Array:
    """Replace stretches of the frames (axis 1) or bins (axis 2) by `fill`."""
    n, length = len(x), x.shape[axis]
    position = np.arange(length)
    for _ in range(masks.count):
        width = rng.uniform(0, masks.width * length, (n, 1))
        start = rng.uniform(0, length - width)
        hidden = (position >= start) & (position < start + width)
        shape = (n, length, 1, 1) if axis == 1 else (n, 1, length, 1)
        x = np.where(hidden.reshape(shape), fill, x)
    return x


def cut_out(x: Array, settings: Cutout, fill: Array, rng: np.random.Generator) -> Array:
    """Replace rectangles by `fill`; their centres lie anywhere, so that edges cut some of them."""
    n, frames, bins = x.shape[:3]
    for _ in range(settings.count):
        inside = [
            np.abs(np.arange(length) + 0.5 - rng.uniform(0, length, (n, 1))) < share * length / 2
            for length, share in ((frames, settings.time), (bins, settings.frequency))
        ]
        x = np.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], fill, x)
    return x


def _uniform(rng: np.random.Generator, most: float, shape: tuple[int, ...]) -> Array:
    return rng.uniform(-most, most, shape).astype(np.float32)
