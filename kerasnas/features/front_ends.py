"""Every front end that an experiment can name: the one list to extend for another."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

from kerasnas.errors import KerasnasError
from kerasnas.features.embedding_settings import Embedding, StoredEmbedding
from kerasnas.features.mel_settings import Mfcc, Pcen, TfioLogMel
from kerasnas.features.settings import LogMel, Scalogram


def _default(values: object) -> object:
    return {"kind": "log_mel", **values} if isinstance(values, dict) else values


RecordingFrontEnd = LogMel | TfioLogMel | Mfcc | Pcen | Scalogram | Embedding
"""Those that take recordings."""

FrontEnd = Annotated[
    LogMel | TfioLogMel | Mfcc | Pcen | Scalogram | Embedding | StoredEmbedding,
    Field(discriminator="kind"),
    BeforeValidator(_default),
]
"""All; the last one takes what a data set has stored."""

_ADAPTER: TypeAdapter[RecordingFrontEnd | StoredEmbedding] = TypeAdapter(FrontEnd)


def front_end(settings: Any) -> RecordingFrontEnd | StoredEmbedding:
    """Return the front end of settings as JSON data.

    Raises:
        ValueError: They describe none.
    """
    return _ADAPTER.validate_python(settings)


def in_files(settings: FrontEnd) -> LogMel | Mfcc | Scalogram | TfioLogMel:
    """Return the settings, if files that take waveforms can begin with them.

    Raises:
        KerasnasError: They are of no spectrogram, of several channels, or cut silent ends.
    """
    if isinstance(settings, Pcen):
        raise KerasnasError(
            "export.waveform: features of kind pcen go by a moving average, which files do not "
            "compute: leave waveform out, or take log_mel, mfcc or scalogram"
        )
    if not isinstance(settings, LogMel | Mfcc | Scalogram | TfioLogMel):
        raise KerasnasError(
            f"export.waveform: features of kind {settings.kind} are made by another network, which "
            "cannot be put into the file: leave waveform out, or take log_mel, mfcc or scalogram"
        )
    if settings.file_channels != 1:
        raise KerasnasError(
            f"export.waveform: files take one channel, these features are of "
            f"{settings.file_channels}: leave waveform out, or train with channels: mono"
        )
    if settings.trim is not None:
        raise KerasnasError(
            "export.waveform: files take all of a clip, and cannot look for the silent ends that "
            f"features.trim: {settings.trim:g} cuts: leave one of the two out"
        )
    return settings
