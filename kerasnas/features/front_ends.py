"""Every front end that an experiment can name: the one list to extend for another."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

from kerasnas.features.embedding_settings import Embedding
from kerasnas.features.settings import LogMel, Scalogram


def _default(values: object) -> object:
    return {"kind": "log_mel", **values} if isinstance(values, dict) else values


FrontEnd = Annotated[
    LogMel | Scalogram | Embedding, Field(discriminator="kind"), BeforeValidator(_default)
]

_ADAPTER: TypeAdapter[LogMel | Scalogram | Embedding] = TypeAdapter(FrontEnd)


def front_end(settings: Any) -> LogMel | Scalogram | Embedding:
    """The front end of settings as JSON data.

    Raises:
        ValueError: They describe none.
    """
    return _ADAPTER.validate_python(settings)
