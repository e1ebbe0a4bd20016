"""Data sets on disk, read into one table of clips.

Each layout has a file of its own with one function that returns `Clips`; `load` picks it from the
settings. Nothing here reads audio but the synthetic data set, which writes it.
"""

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.load import load
from kerasnas.datasets.places import cache_root
from kerasnas.datasets.settings import DataSettings, SyntheticSettings
from kerasnas.datasets.splits import Split, SplitSettings, split

__all__ = [
    "Clip",
    "Clips",
    "DataSettings",
    "Split",
    "SplitSettings",
    "SyntheticSettings",
    "cache_root",
    "load",
    "split",
]
