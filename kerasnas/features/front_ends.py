"""Every front end that an experiment can name: the one list to extend for another."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

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
    """The front end of settings as JSON data.

    Raises:
        ValueError: They describe none.
    """
    return _ADAPTER.validate_python(settings)
