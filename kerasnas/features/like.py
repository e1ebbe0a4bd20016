"""Settings whose features are those of a front end found in a file, and the proof of it.

The file's filter bank is compared with mel banks of every usual rate, scale, kind of triangle and
normalisation; the ends of the bands come from a fit and are rounded where rounding fits as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from kerasnas.errors import KerasnasError
from kerasnas.features.clip_features import clip_features
from kerasnas.features.settings import LogMel
from kerasnas.features.spectral.log_mel import mel_filters
from kerasnas.features.spectral.spectrogram import window

Array = NDArray[np.float32]

LIMIT = 1e-3
"""Largest difference of features from a file's own that counts as none."""

_RATES = (16000, 8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000)
_SHAPES: tuple[Literal["hann", "hamming", "blackman", "boxcar"], ...] = (
    "hann",
    "hamming",
    "blackman",
    "boxcar",
)
_ANY = {"seconds": 600.0}  # long enough for every window
_WINDOW_ERROR = 1e-4
_BANK_ERROR = 1e-3
"""Largest error of a filter, of the largest value in the bank."""


class Found(Protocol):
    """What must be known of a front end: `kerasnas.export.waveforms.recognise.FoundFrontEnd`."""

    @property
    def content(self) -> bytes:
        """A `.tflite` file from the waveform to the logarithms alone."""

    @property
    def sample_rate(self) -> int | None:
        """Hz, where the file says so."""

    @property
    def samples(self) -> int:
        """Samples of the waveform."""

    @property
    def window(self) -> Array:
        """The window in its place in a transform, `(n_fft,)`."""

    @property
    def first_start(self) -> int:
        """Sample on which the first frame begins."""

    @property
    def hop_length(self) -> int:
        """Samples between frames."""

    @property
    def frames(self) -> int:
        """Frames of the waveform."""

    @property
    def power(self) -> Literal[1, 2]:
        """1 where filters take magnitudes, 2 for powers."""

    @property
    def filters(self) -> Array:
        """The filter bank, `(bins, n_fft // 2 + 1)`."""

    @property
    def offset(self) -> float:
        """Added before the logarithm."""

    @property
    def amin(self) -> float:
        """Smaller values are raised to this; 0 where none are."""


def settings_like(found: Found) -> LogMel:
    """Return the settings of a front end that was found in a file, for clips of its length.

    Raises:
        KerasnasError: Its window or filters are none that features can have.
    """
    center = found.first_start == -(len(found.window) // 2)
    if not center and found.first_start != 0:
        raise KerasnasError(
            f"its first frame begins on sample {found.first_start}: features have frames that "
            f"begin on sample 0 or, centred, on {-(len(found.window) // 2)}"
        )
    base: dict[str, Any] = {
        "n_fft": len(found.window),
        "hop_length": found.hop_length,
        "center": center,
        "power": found.power,
        "log": "log",
        "log_offset": found.offset,
        "mel_bins": len(found.filters),
    }
    if found.amin > 0:
        base["amin"] = found.amin
    base |= _window(found.window, base)
    base |= _bank(found, base)
    settings = LogMel.model_validate(base | {"seconds": found.samples / base["sample_rate"]})
    if settings.clip_frames != found.frames:
        raise KerasnasError(
            f"it makes {found.frames} frames of {found.samples} samples, where features make "
            f"{settings.clip_frames}: its last frames are cut off or filled up in its own way"
        )
    return settings


def _window(given: Array, base: Mapping[str, Any]) -> dict[str, Any]:
    """Length, place and shape of a window."""
    support = np.flatnonzero(given)
    first, end = int(support[0]), int(support[-1]) + 1
    places = ["start", "centre"] if not base["center"] else ["centre"]
    for shape, place in product(_SHAPES, places):
        for length in range(end - first, min(end - first + 3, len(given)) + 1):
            whole = length == len(given)
            values = {
                "window": shape,
                "window_length": None if whole else length,
                "window_place": "centre" if whole else place,
            }
            try:
                settings = LogMel.model_validate({**base, **values, **_ANY})
            except ValidationError:
                continue
            if np.abs(window(settings) - given).max() < _WINDOW_ERROR:
                return values
    raise KerasnasError(
        f"its window of {end - first} samples, largest value {given.max():.4g}, is no periodic "
        f"{', '.join(_SHAPES)} window of height 1"
    )


@dataclass(frozen=True)
class _Bank:
    error: float
    values: dict[str, Any]


def _bank(found: Found, base: Mapping[str, Any]) -> dict[str, Any]:
    """Rate, scale, triangles and ends of the bands of the mel bank that fits best."""
    rates = _RATES if found.sample_rate is None else (found.sample_rate,)
    best = _Bank(np.inf, {})
    for rate in rates:
        for kind in _kinds():
            fit = _fitted(found, {**base, **kind, "sample_rate": rate})
            if fit.error < best.error:
                best = fit
            if best.error < 1e-5:
                return best.values
    if best.error > _BANK_ERROR:
        raise KerasnasError(
            f"its filter bank of {len(found.filters)} filters is no mel bank that features can "
            f"have: the nearest one differs by {best.error:.2g} of its largest value"
        )
    return best.values


def _kinds() -> Iterator[dict[str, Any]]:
    for htk, axis, norm in product((True, False), ("mel", "hertz"), (None, "slaney")):
        yield {"htk": htk, "mel_axis": axis, "mel_norm": norm}


def _fitted(found: Found, base: Mapping[str, Any]) -> _Bank:
    """Return the ends of the bands with which a kind of bank fits best."""
    from scipy.optimize import least_squares

    rate, size = base["sample_rate"], base["n_fft"]
    width = rate / size
    lowest, highest = (np.flatnonzero(found.filters.any(axis=0))[[0, -1]]) * width
    scale = float(found.filters.max())

    def residual(ends: NDArray[np.float64]) -> Array:
        bank = _mel(base, ends)
        return (np.ones_like(found.filters) if bank is None else bank - found.filters) / scale

    def error(ends: NDArray[np.float64]) -> float:
        return float(np.abs(residual(ends)).max())

    start = np.array([max(0.0, lowest - width / 2), min(rate / 2, highest + width / 2)])
    bounds = (
        [max(0.0, start[0] - 2 * width), max(start[1] - 2 * width, start[0] + width)],
        [start[0] + 2 * width, min(rate / 2, start[1] + 2 * width) + 1e-6],
    )
    start = np.clip(start, np.add(bounds[0], 1e-9), np.subtract(bounds[1], 1e-9))
    ends = least_squares(
        lambda x: residual(x).ravel(), start, bounds=bounds, diff_step=1e-4, max_nfev=60
    ).x
    candidates = [ends, *(np.round(ends / step) * step for step in (0.5, 1, 5, 10))]
    best = min(map(error, candidates))
    # The roundest that fits about as well as the best.
    chosen = next(c for c in reversed(candidates) if error(c) < 2 * best + 1e-5)
    kind = {name: base[name] for name in ("sample_rate", "htk", "mel_axis", "mel_norm")}
    fmin, fmax = float(chosen[0]), float(min(chosen[1], rate / 2))
    return _Bank(best, {**kind, "fmin": fmin, "fmax": fmax})


def _mel(base: Mapping[str, Any], ends: NDArray[np.float64]) -> Array | None:
    values = {**base, "fmin": float(ends[0]), "fmax": float(min(ends[1], base["sample_rate"] / 2))}
    try:
        return mel_filters(LogMel.model_validate(values | _ANY))
    except ValidationError:
        return None


def largest_difference(found: Found, settings: LogMel, waveforms: Sequence[Array]) -> float:
    """Return the largest difference of features from those of the file's own front end.

    Args:
        found: The file's front end; its part of the file is run.
        settings: The front end that should compute the same.
        waveforms: float32 `(samples,)` each, at `settings.sample_rate`; each is compared on the
            file's windows, one after the other, the last one filled up with zeros.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=found.content, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    of_window = settings.model_copy(
        update={
            "seconds": found.samples / settings.sample_rate,
            "segment_frames": None,
            "segment_hop": None,
            "segment_rest": "drop",
        }
    )
    largest = 0.0
    for waveform in waveforms:
        for start in range(0, len(waveform), found.samples):
            part = waveform[start : start + found.samples]
            part = np.pad(part, (0, found.samples - len(part)))
            interpreter.set_tensor(source["index"], part.reshape(source["shape"]))
            interpreter.invoke()
            own = clip_features(part[:, None], of_window)[0, ..., 0]
            theirs = interpreter.get_tensor(sink["index"]).reshape(own.shape)
            largest = max(largest, float(np.abs(own - theirs).max()))
    return largest
