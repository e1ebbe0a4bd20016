"""A procedural data set of domestic sounds: no download, known tags, any size.

It is made once, by `mixtures`, and read like any other folder afterwards.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from kerasnas.datasets import folder
from kerasnas.datasets.clips import Clips
from kerasnas.datasets.places import filled_beside
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.synthetic.settings import MixtureSettings

VERSION = 1
"""To be raised with every change that changes the recordings: they are then made again."""


class SyntheticSettings(MixtureSettings, LayoutSettings):
    """The procedural data set of domestic sounds (see `kerasnas.datasets.synthetic`)."""

    dataset: Literal["synthetic"] = "synthetic"
    root: Path | None = Field(
        None,
        description="Directory in which the data set is generated; --data overrides it, and "
        "KERASNAS_DATA does not count. null: the cache.",
    )

    def directory(self, override: Path | str | None) -> Path | None:
        """Return where to generate; never among the recordings to which KERASNAS_DATA points."""
        given = override or self.root
        return Path(given).expanduser() if given else None

    def place(self, override: Path | str | None, cache: Path) -> Path:
        """Return where to generate: in the cache, unless another directory is given."""
        return self.directory(override) or cache / "data"

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load`."""
        return load(root, self)


def load(root: Path, settings: SyntheticSettings) -> Clips:
    """Load the synthetic data set below `root`; generate it unless it is there already."""
    common = {"dataset", "root", "streams", "mined", "classes", "multi_label"}
    made = settings.model_dump_json(exclude=common)
    text = f"{VERSION} {settings.multi_label} {made}"
    directory = root / f"synthetic-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not directory.is_dir():
        from kerasnas.datasets.synthetic.mixtures import write_csv

        with filled_beside(directory) as partial:
            write_csv(partial, settings, multi_label=settings.multi_label)
    return folder.load_csv(
        directory.absolute(), Path("clips.csv"), multi_label=settings.multi_label
    )
