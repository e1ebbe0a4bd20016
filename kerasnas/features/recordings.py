"""Reading what a survey of a data set needs: every header, and the sound of a few recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from kerasnas.datasets.clips import Clips
from kerasnas.datasets.survey import Survey, levels_of, survey
from kerasnas.datasets.table import Problems
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform, read, read_header

T = TypeVar("T")

_HEARD = 200
_SECONDS = 10.0
_RATE = 16000


def look(clips: Clips) -> Survey:
    """Survey a data set; of at most 200 recordings, ten seconds each are listened to.

    Raises:
        KerasnasError: Recordings cannot be read; the message names ten of them, and counts all.
    """
    headers = _of_all(read_header, [clip.path for clip in clips])
    chosen = np.linspace(0, len(clips) - 1, min(_HEARD, len(clips))).round().astype(int)
    return survey(
        clips,
        np.array([header.seconds for header in headers]),
        Counter(header.rate for header in headers),
        Counter(header.channels for header in headers),
        levels_of(_of_all(_beginning, [clips[int(index)].path for index in chosen]), _RATE),
    )


def _beginning(path: Path) -> Waveform:
    return read(path, _RATE, seconds=_SECONDS)


def _of_all(look_into: Callable[[Path], T], paths: list[Path]) -> list[T]:
    """Return what is in all files; what is wrong with some of them is said together."""
    found, problems = list[T](), Problems()
    for path in paths:
        try:
            found.append(look_into(path))
        except KerasnasError as error:
            problems.add(str(error))
    problems.check()
    return found
