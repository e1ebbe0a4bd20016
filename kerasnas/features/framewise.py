"""Features of sound that does not end, frame by frame as it comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform
from kerasnas.features.front_ends import FrontEnd
from kerasnas.features.mel_settings import Mfcc, Pcen
from kerasnas.features.settings import LogMel, Scalogram, Spectrogram
from kerasnas.features.spectral.log_mel import log_mel
from kerasnas.features.spectral.mfcc import mfcc
from kerasnas.features.spectral.pcen import pcen
from kerasnas.features.spectral.scalogram import scalogram


class FramewiseFeatures:
    """Computes every frame once the samples that it reads have come.

    The frames are those of one clip as long as the sound; what a frame reads before the first
    sample is zero. Nothing is kept but the samples of frames that are not whole yet, and the moving
    average of `pcen`.

    Example:
        >>> stream = FramewiseFeatures(LogMel(sample_rate=8000, top_db=None))
        >>> stream.push(np.zeros((4000, 1), np.float32)).shape  # frames, bins, channels
        (14, 64, 1)
    """

    def __init__(self, settings: FrontEnd) -> None:
        """Begin with silence.

        Args:
            settings: The front end's parameters; how clips are cut up does not matter.

        Raises:
            KerasnasError: The features look ahead; the message names the setting.
        """
        self.settings = require_framewise(settings)
        # The zeros before the first sample are put here, once.
        self._whole = self.settings.model_copy(
            update={"center": False, "segment_rest": "drop", "segment_frames": None}
        )
        self._average: NDArray[np.float64] | None = None
        before = self.settings.n_fft // 2 if self.settings.center else 0
        self._held = np.zeros((before, self.settings.file_channels), np.float32)

    def push(self, samples: Waveform) -> NDArray[np.float32]:
        """Take samples, and return the frames that they make whole.

        Args:
            samples: float32 `(samples, channels)` at the front end's sample rate, any number.

        Returns:
            float32 `(frames, bins, channels)`, none where too few samples have come.
        """
        settings = self._whole
        held = np.concatenate([self._held, samples])
        centre = settings.window_place == "centre"
        needed = settings.n_fft if centre else settings.fft_window
        count = max(0, 1 + (len(held) - needed) // settings.hop_length)
        self._held = held[count * settings.hop_length :]
        if not count:
            return np.zeros((0, *settings.input_shape[1:]), np.float32)
        return self._frames(held[: (count - 1) * settings.hop_length + needed])

    def finish(self) -> NDArray[np.float32]:
        """Return the frames that see zeros behind the last sample, as those of a clip's end do."""
        behind = self.settings.n_fft // 2 if self.settings.center else 0
        return self.push(np.zeros((behind, self.settings.file_channels), np.float32))

    def _frames(self, samples: Waveform) -> NDArray[np.float32]:
        match self._whole:
            case LogMel():
                return log_mel(samples, self._whole)
            case Mfcc():
                return mfcc(samples, self._whole)
            case Pcen():
                frames, self._average = pcen(samples, self._whole, self._average)
                return frames
            case Scalogram():
                return scalogram(samples, self._whole)
        raise TypeError(f"features of kind {self._whole.kind} are made elsewhere")


def require_framewise(settings: FrontEnd) -> Spectrogram:
    """Return the settings, if each frame can be computed before the next ones.

    Raises:
        KerasnasError: It cannot; the message names the setting.
    """
    if not isinstance(settings, LogMel | Mfcc | Pcen | Scalogram):
        raise KerasnasError(
            f"features of kind {settings.kind} are made of whole clips, not frame by frame: take "
            "log_mel, mfcc, pcen or scalogram, or files that take whole clips"
        )
    remedy = "of the whole clip, which frame by frame is not known yet"
    if not isinstance(settings, Pcen) and settings.log == "db":
        if settings.ref == "max":
            raise KerasnasError(
                f"features.ref: max is the largest value {remedy}: set ref: 1.0, and train again"
            )
        if settings.top_db is not None:
            raise KerasnasError(
                f"features.top_db: {settings.top_db:g} counts from the largest value {remedy}: set "
                "top_db: null, raise amin to the level of silence, and train again"
            )
    if settings.trim is not None:
        raise KerasnasError(
            f"features.trim: {settings.trim:g} counts from the largest sample {remedy}: set "
            "trim: null, and train again"
        )
    if settings.channel_examples:
        raise KerasnasError(
            f"features.channel_examples: {settings.channel_examples} makes every channel an "
            "example of its own: frame by frame there is one; set channel_examples: null"
        )
    return settings
