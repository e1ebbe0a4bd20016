"""From settings to clips, whatever the layout."""

from pathlib import Path

from kerasnas.datasets import chime_home, esc50, folder, sins, tau2020_3class
from kerasnas.datasets.audioset import audioset
from kerasnas.datasets.clips import Clips, checked
from kerasnas.datasets.places import cache_root, data_root, existing_directory
from kerasnas.datasets.settings import DataSettings
from kerasnas.datasets.synthetic import synthetic


def load(
    settings: DataSettings,
    root_override: Path | str | None = None,
    cache: Path | str | None = None,
) -> Clips:
    """Read the table of clips that `settings` describe.

    Args:
        settings: The data set and its options.
        root_override: Directory that comes before `KERASNAS_DATA` and `settings.root`.
        cache: Directory of derived files (see `cache_root`), in which a synthetic data set is
            generated unless `root_override` or `settings.root` names another place, and the table
            of audioset kept.

    Raises:
        KerasnasError: When the directory is missing or empty, a list in it is wrong (file and
            line are named), or there are fewer than two classes to tell apart.
    """
    root = data_root(root_override, settings.root)
    if settings.dataset == "synthetic":
        # Nothing is generated among the user's recordings, to which KERASNAS_DATA points.
        place = root_override or settings.root or cache_root(cache) / "data"
        clips = synthetic.load(Path(place).expanduser(), settings)
    elif settings.dataset == "esc50":
        clips = esc50.load(existing_directory(root, "esc50"), esc10=settings.esc10)
    elif settings.dataset == "chime_home":
        clips = chime_home.load(existing_directory(root, "chime_home"), settings.chime_home)
    elif settings.dataset == "sins":
        clips = sins.load(existing_directory(root, "sins"), settings.sins)
    elif settings.dataset == "tau2020_3class":
        directory = existing_directory(root, "tau2020_3class")
        clips = tau2020_3class.load(directory, settings.tau2020_3class)
    elif settings.dataset == "audioset":
        clips = audioset.load(
            existing_directory(root, "audioset"),
            settings.audioset,
            cache_root(cache),
            multi_label=settings.multi_label,
            classes=settings.classes,
        )
    else:
        directory = existing_directory(root, "folder")
        if settings.csv is None:
            clips = folder.load_directories(directory)
        else:
            clips = folder.load_csv(directory, settings.csv, multi_label=settings.multi_label)
    return checked(clips, settings.classes)
