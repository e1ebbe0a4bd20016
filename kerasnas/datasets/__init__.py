"""Data sets on disk, read into one table of clips.

Each layout is a file of its own: its settings, and the function that reads it into `Clips`.
`layouts` lists them. Nothing here reads audio but the synthetic data set, which writes it.
"""

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.layouts import DataSettings, data_settings
from kerasnas.datasets.load import load
from kerasnas.datasets.places import cache_root
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.splits import Split, SplitSettings, split, with_folds
from kerasnas.datasets.synthetic.synthetic import SyntheticSettings

__all__ = [
    "Clip",
    "Clips",
    "DataSettings",
    "LayoutSettings",
    "Split",
    "SplitSettings",
    "SyntheticSettings",
    "cache_root",
    "data_settings",
    "load",
    "split",
    "with_folds",
]
