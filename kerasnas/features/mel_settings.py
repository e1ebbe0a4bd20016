"""Front ends of mel bands beside `LogMel`: cepstra, normalised energies, and tensorflow-io's."""

from typing import Literal, Self

from pydantic import Field, model_validator

from kerasnas.features.settings import Mel


class Mfcc(Mel):
    """Mel-frequency cepstral coefficients: cosines of log-mel bands, through librosa."""

    kind: Literal["mfcc"] = Field("mfcc", description="The front end.")
    coefficients: int = Field(20, ge=1, description="Values of a frame, from the zeroth on.")
    lifter: float = Field(
        0.0, ge=0, description="Higher coefficients are raised by so much sinusoidal liftering."
    )

    @model_validator(mode="after")
    def _coefficients_fit(self) -> Self:
        if self.coefficients > self.mel_bins:
            raise ValueError(
                f"coefficients: {self.coefficients} are more than mel_bins, {self.mel_bins}"
            )
        return self

    @property
    def bins(self) -> int:
        """Coefficients."""
        return self.coefficients

    @property
    def decibels(self) -> bool:
        """See `Spectrogram`."""
        return False


_OF_LOGARITHMS = ("log", "ref", "log_offset", "amin", "top_db")


class Pcen(Mel):
    """Mel bands normalised by their own past (per-channel energy normalisation), through librosa.

    Wang et al., "Trainable frontend for robust and far-field keyword spotting", ICASSP 2017: each
    band is divided by its moving average, and compressed by a root instead of a logarithm. The
    logarithm's settings do nothing here.
    """

    kind: Literal["pcen"] = Field("pcen", description="The front end.")
    power: Literal[1, 2] = Field(1, description="1 for magnitudes, 2 for powers.")
    scale: float = Field(
        2.0**31,
        gt=0,
        description="Bands are multiplied by this first; 2^31 makes those of 32-bit samples, for "
        "which the other defaults are meant.",
    )
    gain: float = Field(0.98, ge=0, description="Exponent of the moving average.")
    bias: float = Field(2.0, ge=0, description="Added before the root, and its root taken away.")
    root: float = Field(0.5, ge=0, le=1, description="Exponent of the compression.")
    time_constant: float = Field(0.4, gt=0, description="Of the moving average, seconds.")
    floor: float = Field(1e-6, gt=0, description="Added to the moving average.")

    @model_validator(mode="after")
    def _no_logarithm(self) -> Self:
        given = [name for name in _OF_LOGARITHMS if name in self.model_fields_set]
        changed = [n for n in given if getattr(self, n) != type(self).model_fields[n].default]
        if changed:
            raise ValueError(f"{changed[0]} is of a logarithm, and pcen takes none: leave it out")
        return self

    @property
    def decibels(self) -> bool:
        """See `Spectrogram`."""
        return False


class TfioLogMel(Mel):
    """Log-mel spectrograms as one TensorFlow graph, by tensorflow-io.

    `tfio.audio.spectrogram`, `melscale` and `dbscale`, which fix what is not free here: a Hann
    window, magnitudes, HTK's mel scale, bands of height 1, dB of the bands' squares. The last
    frames see zeros behind the clip's end. A `.tflite` file that takes waveforms begins with the
    same graph.
    """

    kind: Literal["tfio_log_mel"] = Field("tfio_log_mel", description="The front end.")
    channels: Literal["mono"] = Field("mono", description="The mean of the file's channels.")
    window: Literal["hann"] = Field("hann", description="Shape of the window (periodic).")
    window_place: Literal["start"] = Field("start", description="Zeros stand behind the window.")
    center: Literal[False] = Field(False, description="Frame t begins at sample t*hop_length.")
    power: Literal[1] = Field(1, description="Bands gather magnitudes, which are then squared.")
    log: Literal["db"] = Field("db", description="10 log10 of the squares.")
    ref: Literal[1] = Field(1, description="What counts as 0 dB.")
    log_offset: Literal[0] = Field(0, description="Nothing is added before the logarithm.")
    top_db: float = Field(
        80.0, gt=0, description="Values this far below the clip's largest are raised to there."
    )
    htk: Literal[True] = Field(True, description="HTK's mel scale.")
    mel_norm: None = Field(None, description="Bands have the height 1.")
    mel_axis: Literal["mel"] = Field("mel", description="Bands are triangles on the mel axis.")
    segment_rest: Literal["drop"] = Field(
        "drop", description="Frames after the last whole segment are dropped."
    )

    @property
    def clip_frames(self) -> int:
        """Frames of a clip: one for each hop that has begun."""
        return -(-self.samples // self.hop_length)
