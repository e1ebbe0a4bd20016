"""Small synthetic data in the layout of every public data set.

Lengths, rates and channels are those of the public recordings, as are SINS' four folds; what is
learned from them says nothing about these.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasnas.datasets.synthetic import embeddings, mixtures
from kerasnas.datasets.synthetic.settings import MixtureSettings
from kerasnas.paths import StrPath

Writer = Callable[[Path, int, float | None], None]
"""Writes so many clips below a directory; see `write`."""


def write(dataset: str, root: StrPath, clips: int, seconds: float | None = None) -> None:
    """Write clips in the layout of a data set.

    Args:
        dataset: A key of `WRITERS`.
        root: Where to; SINS' evaluation set goes beside it, as `DCASE2018-task5-eval`.
        clips: Number of clips; with 50 or more, every fold or list has every class.
        seconds: Length of a clip; None for that of the public recordings, as embeddings
            always have.
    """
    WRITERS[dataset](Path(root), clips, seconds)


def _recorded(
    write: Callable[[Path, MixtureSettings], None], seconds: float, **recorded: Any
) -> Writer:
    """Return the writer of a data set of recordings that are `seconds` long."""

    def writer(root: Path, clips: int, shorter: float | None) -> None:
        length = seconds if shorter is None else shorter
        write(root, MixtureSettings(clips=clips, seconds=length, **recorded))

    return writer


def _sins(root: Path, settings: MixtureSettings) -> None:
    mixtures.write_sins(root, settings)
    beside = root.absolute().parent / "DCASE2018-task5-eval"
    mixtures.write_sins(beside, settings.model_copy(update={"seed": 1}), evaluation=True)


def _embedded(root: Path, clips: int, seconds: float | None) -> None:
    parts = {"bal_train": clips - clips // 4, "eval": clips // 4}
    embeddings.write(root, mixtures.CLASSES, parts)


WRITERS: dict[str, Writer] = {
    "folder": _recorded(mixtures.write_csv, 1.5),
    "audiofolder": _recorded(mixtures.write_audiofolder, 2, sample_rate=16_000),
    "esc50": _recorded(mixtures.write_esc50, 5, sample_rate=44_100),
    "chime_home": _recorded(mixtures.write_chime_home, 4, sample_rate=16_000),
    "sins": _recorded(_sins, 10, sample_rate=16_000, channels=4, folds=4),
    "tau2020_3class": _recorded(
        mixtures.write_tau2020_3class, 10, sample_rate=48_000, channels=2, subtype="PCM_24"
    ),
    "audioset": _embedded,
}
"""By the name in `data.dataset` of an experiment; `synthetic`, which makes its own, needs none."""
