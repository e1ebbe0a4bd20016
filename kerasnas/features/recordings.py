"""Reading what a survey of a data set needs: every header, and the sound of a few recordings."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kerasnas.datasets.clips import Clips
from kerasnas.datasets.survey import Survey, levels_of, survey
from kerasnas.features.audio import read, read_header

_HEARD = 200
_SECONDS = 10.0
_RATE = 16000


def look(clips: Clips) -> Survey:
    """Survey a data set; of at most 200 recordings, ten seconds each are listened to.

    Raises:
        KerasnasError: A recording cannot be read; its file is named.
    """
    headers = [read_header(clip.path) for clip in clips]
    chosen = np.linspace(0, len(clips) - 1, min(_HEARD, len(clips))).round().astype(int)
    return survey(
        clips,
        np.array([header.seconds for header in headers]),
        Counter(header.rate for header in headers),
        Counter(header.channels for header in headers),
        levels_of([read(clips[int(index)].path, _RATE, seconds=_SECONDS) for index in chosen]),
    )
