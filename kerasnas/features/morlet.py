"""The Morlet wavelets of a scattering transform's first order, as a filter bank.

Sources: Andén & Mallat, "Deep scattering spectrum", IEEE Transactions on Signal Processing 62,
2014, section 3 (wavelets of constant quality down to the lowest bandwidth, of constant bandwidth
below); Andreux et al., "Kymatio: scattering transforms in Python", JMLR 21, 2020, for what the
former leaves open: where filters cross, the highest centre, widths, normalisation. Wu & Lee, DCASE
2020, take its bank of 2048 samples, scale 2^10 and 16 filters per octave.

Deviation: rows rise in frequency, the lowpass first; there they fall, the lowpass apart.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_WIDTH_OF_LOWPASS = 0.1  # at scale 1


class Filters(NamedTuple):
    """Centres and widths of the filters, cycles per sample, rising, the lowpass (0) first.

    In frequency a filter is a Gaussian round its centre, with its width as deviation.
    """

    centres: tuple[float, ...]
    widths: tuple[float, ...]


@lru_cache(maxsize=8)
def filters(octaves: int, filters_per_octave: int) -> Filters:
    """Where the filters of a bank lie.

    Args:
        octaves: The lowpass averages over about `2 ** octaves` samples.
        filters_per_octave: Wavelets an octave, where they are of constant quality; neighbours
            cross at half their power.
    """
    narrowest = _WIDTH_OF_LOWPASS / 2**octaves
    step = 2 ** (-1 / filters_per_octave)
    quality = (1 - step) / (1 + step) / sqrt(log(2))
    centre = max(1 / (1 + step**-3), 0.35)
    centres, widths = [centre], [max(centre * quality, narrowest)]
    while centre * step * quality > narrowest:
        centre *= step
        centres.append(centre)
        widths.append(centre * quality)
    for part in range(filters_per_octave - 1, 0, -1):
        centres.append(centre * part / filters_per_octave)
        widths.append(narrowest)
    return Filters((0.0, *reversed(centres)), (narrowest, *reversed(widths)))


@lru_cache(maxsize=8)
def bank(n_fft: int, octaves: int, filters_per_octave: int) -> NDArray[np.float32]:
    """Responses of the filters, `(filters, n_fft // 2 + 1)`, not negative.

    A wavelet is a Gaussian, less what makes its response to a constant zero; the magnitudes of its
    `n_fft` samples in time add up to 1.
    """
    places = filters(octaves, filters_per_octave)
    rows = []
    for centre, width in zip(*places, strict=True):
        response = _gaussian(n_fft, centre, width)
        if centre:
            lowpass = _gaussian(n_fft, 0.0, width)
            response = response - response[0] / lowpass[0] * lowpass
        rows.append(response / np.abs(np.fft.ifft(response)).sum())
    return np.maximum(np.array(rows)[:, : n_fft // 2 + 1], 0).astype(np.float32)


def _gaussian(n_fft: int, centre: float, width: float) -> NDArray[np.float64]:
    """Return a Gaussian of frequency, sampled in time: one period of its periodic repetition."""
    periods = np.arange(-n_fft, 2 * n_fft).reshape(3, n_fft) / n_fft
    values: NDArray[np.float64] = np.exp(-((periods - centre) ** 2) / (2 * width**2)).sum(axis=0)
    return values
