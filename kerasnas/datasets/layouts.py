"""Every data set that an experiment can name: the one list to extend for another."""

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, TypeAdapter

from kerasnas.datasets.audiofolder import AudioFolderSettings
from kerasnas.datasets.audioset.audioset import AudioSetSettings
from kerasnas.datasets.chime_home import ChimeHomeSettings
from kerasnas.datasets.esc50 import Esc50Settings
from kerasnas.datasets.folder import FolderSettings, folder_of
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.sins import SinsSettings
from kerasnas.datasets.synthetic.synthetic import SyntheticSettings
from kerasnas.datasets.tau2020_3class import Tau2020Settings


def _default(values: object) -> object:
    return {"dataset": "synthetic", **values} if isinstance(values, dict) else values


AnyLayout = (
    SyntheticSettings
    | FolderSettings
    | AudioFolderSettings
    | Esc50Settings
    | ChimeHomeSettings
    | SinsSettings
    | Tau2020Settings
    | AudioSetSettings
)
"""Their settings, which an experiment tells apart by `dataset`."""

LAYOUTS: tuple[type[LayoutSettings], ...] = get_args(AnyLayout)
"""The same, one after another."""

DataSettings = Annotated[
    AnyLayout,
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


def recognise(root: Path) -> LayoutSettings:
    """Return settings for the data in a directory: of a layout with signs of its own, or a folder.

    Args:
        root: The directory, absolute.

    Raises:
        KerasnasError: It is a folder with several lists of clips.
    """
    found = (each.recognised(root) for each in LAYOUTS)
    return next((data for data in found if data is not None), None) or folder_of(root)
