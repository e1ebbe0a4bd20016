"""A procedural data set of domestic sounds: no download, known tags, any size.

It is made once, by `mixtures`, and read like any other folder afterwards.
"""

import hashlib
from pathlib import Path

from kerasnas.datasets import folder
from kerasnas.datasets.clips import Clips
from kerasnas.datasets.places import filled_beside
from kerasnas.datasets.settings import DataSettings

VERSION = 1
"""To be raised with every change that changes the recordings: they are then made again."""


def load(root: Path, settings: DataSettings) -> Clips:
    """The synthetic data set below `root`, generated unless it is there already."""
    text = f"{VERSION} {settings.multi_label} {settings.synthetic.model_dump_json()}"
    directory = root / f"synthetic-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not directory.is_dir():
        from kerasnas.datasets.synthetic.mixtures import (
            write_csv,  # SciPy takes its time to be imported
        )

        with filled_beside(directory) as partial:
            write_csv(partial, settings.synthetic, multi_label=settings.multi_label)
    return folder.load_csv(
        directory.absolute(), Path("clips.csv"), multi_label=settings.multi_label
    )
