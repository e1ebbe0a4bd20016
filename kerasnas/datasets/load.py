"""From settings to clips, whatever the layout."""

from pathlib import Path

from kerasnas.datasets.clips import Clips, checked
from kerasnas.datasets.places import cache_root
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.streams.mined import with_mined


def load(
    settings: LayoutSettings,
    root_override: Path | str | None = None,
    cache: Path | str | None = None,
) -> Clips:
    """Read the table of clips that `settings` describe.

    Args:
        settings: The data set and its options.
        root_override: Directory that overrides `KERASNAS_DATA` and `settings.root`.
        cache: Directory of derived files (see `cache_root`), in which a synthetic data set is
            generated unless `root_override` or `settings.root` names another place, and the table
            of audioset kept.

    Raises:
        KerasnasError: When the directory is missing or empty, a list in it is wrong (file and
            line are named), or there are fewer than two classes to tell apart.
    """
    derived = cache_root(cache)
    clips = settings.read(settings.place(root_override, derived), derived)
    clips = checked(clips, settings.classes)
    return clips if settings.mined is None else with_mined(clips, settings.mined)
