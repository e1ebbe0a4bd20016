"""Every parameter of the front ends that start from a spectrogram."""

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasnas.features.morlet import filters

Trim = Annotated[
    float | None,
    Field(
        gt=0,
        le=120,
        description="Silent ends of a recording are cut, by tensorflow-io: samples so many dB "
        "below its largest one. The whole recording is read. null: nothing is cut.",
    ),
]
Pad = Annotated[
    Literal["zeros", "repeat"], Field(description="How a shorter clip is filled up at its end.")
]


class Spectrogram(BaseModel):
    """Filtered spectrograms of clips of a fixed length: what all front ends here share.

    Lengths in samples count at `sample_rate`, after resampling. No normalisation happens here:
    the network's first layer normalises.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    sample_rate: int = Field(16000, ge=1000, le=384000, description="Samples per second, Hz.")
    channels: Literal["mono", "stereo", "average_difference"] = Field(
        "mono",
        description="mono: the mean of the file's channels; stereo: its two channels (a mono file "
        "twice); average_difference: (L+R)/2 and L-R of the two channels' values.",
    )
    channel_examples: int | None = Field(
        None,
        ge=2,
        description="Every file has so many channels, and each is an example of its own: a clip's "
        "score is the mean over them. null: the channels of a file are those of one example.",
    )
    seconds: float = Field(
        1.0, gt=0, le=600, description="Length of a clip: longer ones lose their end."
    )
    trim: Trim = None
    pad: Pad = "zeros"
    n_fft: int = Field(1024, ge=16, description="Samples of a Fourier transform.")
    window_length: int | None = Field(
        None, ge=2, description="Samples of the window, centred in the transform; null is n_fft."
    )
    window_place: Literal["centre", "start"] = Field(
        "centre",
        description="Where a window shorter than the transform lies in it. start: zeros fill the "
        "transform up behind the window, as TensorFlow does it, so that a clip has every frame "
        "whose window it holds whole; needs center: false.",
    )
    hop_length: int = Field(256, ge=1, description="Samples between frames.")
    window: Literal["hann", "hamming", "blackman", "boxcar"] = Field(
        "hann", description="Shape of the window (periodic)."
    )
    center: bool = Field(
        True, description="Frame t is centred on sample t*hop_length; the ends see zeros."
    )
    power: Literal[1, 2] = Field(2, description="1 for magnitudes, 2 for powers.")
    log: Literal["db", "log"] = Field(
        "db", description="db: 10 log10(x / ref), or 20 log10 when power is 1; log: ln(x)."
    )
    ref: float | Literal["max"] = Field(
        1.0, description="db: what counts as 0 dB; max: the clip's largest value."
    )
    log_offset: float = Field(
        0.0, ge=0, description="Added to every filtered value before the log."
    )
    amin: float = Field(
        1e-10,
        gt=0,
        description="Smaller values, log_offset added, are raised to this before the log.",
    )
    top_db: float | None = Field(
        80.0, gt=0, description="db: values this far below the clip's largest are raised to there."
    )
    segment_frames: int | None = Field(
        None, ge=1, description="Frames of a segment; null makes the whole clip one segment."
    )
    segment_hop: int | None = Field(
        None, ge=1, description="Frames between segments; null is segment_frames (no overlap)."
    )
    segment_rest: Literal["drop", "silence"] = Field(
        "drop",
        description="Frames after the last whole segment: drop them, or fill one more segment up "
        "with frames of silence.",
    )
    storage: Literal["float32", "float16"] = Field(
        "float32", description="Number format of the cached arrays."
    )

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        if self.fft_window > self.n_fft:
            raise ValueError(f"window_length: {self.window_length} is above n_fft, {self.n_fft}")
        if self.window_place == "start" and self.center:
            raise ValueError("window_place: start needs center: false")
        if isinstance(self.ref, float) and self.ref <= 0:
            raise ValueError(f"ref: {self.ref:g} is not above 0")
        if self.channel_examples and self.channels != "mono":
            raise ValueError(
                f"channel_examples makes every channel an example: channels: {self.channels} "
                "cannot be theirs, leave it out"
            )
        if self.segment_frames is None and self.segment_hop is not None:
            raise ValueError("segment_hop needs segment_frames")
        if self.segment_frames is None and self.segment_rest != "drop":
            raise ValueError("segment_rest needs segment_frames")
        if self.clip_frames < 1:
            raise ValueError(
                f"seconds: {self.seconds:g} s are {self.samples} samples, "
                f"not enough for one transform of n_fft: {self.n_fft}"
            )
        if self.channel_segments < 1:
            raise ValueError(
                f"segment_frames: {self.segment_frames} is more than a clip of "
                f"{self.seconds:g} s has, {self.clip_frames}"
            )
        return self

    @property
    @abstractmethod
    def bins(self) -> int:
        """Values of a frame."""

    @property
    def decibels(self) -> bool:
        """Whether values are powers in dB, which sounds that are mixed add up to."""
        return self.log == "db"

    @property
    def fft_window(self) -> int:
        """Samples of the window."""
        return self.window_length or self.n_fft

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return round(self.seconds * self.sample_rate)

    @property
    def clip_frames(self) -> int:
        """Frames of a clip."""
        needed = self.n_fft if self.window_place == "centre" else self.fft_window
        usable = self.samples if self.center else self.samples - needed
        return 1 + usable // self.hop_length if usable >= 0 else 0

    @property
    def channel_segments(self) -> int:
        """Segments of a clip, or of each channel where channels are examples."""
        if self.segment_frames is None:
            return 1
        hop = self.segment_hop or self.segment_frames
        rest = self.clip_frames - self.segment_frames
        if self.segment_rest == "silence":
            return 1 - min(0, -rest // hop)
        return 1 + rest // hop if rest >= 0 else 0

    @property
    def padded_frames(self) -> int:
        """Frames of a clip with those of silence behind it, if any."""
        if self.segment_frames is None or self.segment_rest == "drop":
            return self.clip_frames
        hop = self.segment_hop or self.segment_frames
        return hop * (self.channel_segments - 1) + self.segment_frames

    @property
    def segments(self) -> int:
        """Segments of a clip: examples, whose scores' mean is the clip's."""
        return self.channel_segments * (self.channel_examples or 1)

    def combined(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return features `(frames, bins, channels)` of the values of the file's channels."""
        if self.channels != "average_difference":
            return values
        left, right = values[..., 0], values[..., 1]
        return np.stack([(left + right) / 2, left - right], axis=-1)

    @property
    def file_channels(self) -> int:
        """Channels that are read from a file."""
        return self.channel_examples or (1 if self.channels == "mono" else 2)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a segment, `(frames, bins, channels)`: what a network sees."""
        frames = self.segment_frames or self.clip_frames
        return (frames, self.bins, 1 if self.channel_examples else self.file_channels)


class Like(BaseModel):
    """A file whose front end the settings are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(description="As it was given.")
    sha256: str = Field(description="Of the file that was read, in hexadecimal digits.")


class Mel(Spectrogram):
    """Spectrograms gathered by mel bands: what the front ends that begin with them share."""

    mel_bins: int = Field(64, ge=1, le=1024, description="Number of mel bands.")
    fmin: float = Field(0.0, ge=0, description="Lower end of the lowest band, Hz.")
    fmax: float | None = Field(
        None, description="Upper end of the highest band, Hz; null is half the sample rate."
    )
    mel_norm: Literal["slaney"] | None = Field(
        "slaney", description="slaney: bands of equal area; null: bands of height 1."
    )
    htk: bool = Field(False, description="HTK's mel scale instead of Slaney's.")
    mel_axis: Literal["hertz", "mel"] = Field(
        "hertz",
        description="Axis on which bands are triangles: hertz, as librosa has them, or mel, as "
        "HTK and TensorFlow.",
    )

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        top = self.sample_rate / 2
        if not self.fmin < self.highest <= top:
            raise ValueError(
                f"fmin: {self.fmin:g} and fmax: {self.highest:g} Hz must rise and end at "
                f"half the sample rate, {top:g} Hz, or below"
            )
        return self

    @property
    def bins(self) -> int:
        """Mel bands."""
        return self.mel_bins

    @property
    def highest(self) -> float:
        """Upper end of the highest band, Hz."""
        return self.sample_rate / 2 if self.fmax is None else self.fmax


class LogMel(Mel):
    """Log-mel spectrograms, through librosa."""

    kind: Literal["log_mel"] = Field("log_mel", description="The front end.")
    like: Like | None = Field(
        None,
        description="A `.tflite` file that takes a waveform: every setting that makes its features "
        "becomes the file's. Written with the file's SHA-256 once it is read.",
    )


class Scalogram(Spectrogram):
    """Spectrograms filtered by Morlet wavelets of `n_fft` samples (`kerasnas.features.morlet`)."""

    kind: Literal["scalogram"] = Field("scalogram", description="The front end.")
    octaves: int = Field(
        10, ge=1, description="The lowest filter averages over about 2^octaves samples."
    )
    filters_per_octave: int = Field(16, ge=1, le=128, description="Wavelets an octave.")
    logarithm: Literal["after_bank", "before_bank"] = Field(
        "after_bank",
        description="Of what the logarithm is taken. after_bank: of what the wavelets gather of "
        "the spectrogram, as in Wu & Lee's code; before_bank: of the spectrogram, which the "
        "wavelets then gather, as in their text.",
    )

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        if 2**self.octaves > self.n_fft:
            raise ValueError(
                f"octaves: {self.octaves} are filters of 2^{self.octaves} samples, more than "
                f"n_fft, {self.n_fft}"
            )
        return self

    @property
    def bins(self) -> int:
        """Filters: the wavelets and the lowpass."""
        return len(filters(self.octaves, self.filters_per_octave).centres)

    @property
    def decibels(self) -> bool:
        """See `Spectrogram`."""
        return super().decibels and self.logarithm == "after_bank"
