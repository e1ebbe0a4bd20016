"""Every data set that an experiment can name: the one list to extend for another."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

from kerasnas.datasets.audiofolder import AudioFolderSettings
from kerasnas.datasets.audioset.audioset import AudioSetSettings
from kerasnas.datasets.chime_home import ChimeHomeSettings
from kerasnas.datasets.esc50 import Esc50Settings
from kerasnas.datasets.folder import FolderSettings
from kerasnas.datasets.sins import SinsSettings
from kerasnas.datasets.synthetic.synthetic import SyntheticSettings
from kerasnas.datasets.tau2020_3class import Tau2020Settings


def _default(values: object) -> object:
    return {"dataset": "synthetic", **values} if isinstance(values, dict) else values


DataSettings = Annotated[
    SyntheticSettings
    | FolderSettings
    | AudioFolderSettings
    | Esc50Settings
    | ChimeHomeSettings
    | SinsSettings
    | Tau2020Settings
    | AudioSetSettings,
    Field(discriminator="dataset"),
    BeforeValidator(_default),
]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(DataSettings)


def data_settings(**fields: object) -> DataSettings:
    """Return the settings of a data set from the fields of an experiment's `data`.

    Raises:
        ValueError: There is no such data set, or it has no such field.
    """
    settings: DataSettings = _ADAPTER.validate_python(fields)
    return settings
