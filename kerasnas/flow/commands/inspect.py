"""`kerasnas inspect`: what is in a pretrained file, and whether its front end can be computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from kerasnas.errors import counted
from kerasnas.experiment.like import front_end_of, probes
from kerasnas.features import read
from kerasnas.features.like import LIMIT, largest_difference
from kerasnas.models.pretrained.inspection import Inspection, inspect
from kerasnas.paths import StrPath


def print_inspection(
    path: StrPath, console: Console, recordings: Sequence[StrPath] = (), frames: int | None = None
) -> Inspection:
    """Print front end, blocks, and the cost of each cut of a file.

    Of a file that takes a waveform, the settings of `features` that do the same are printed, with
    the largest difference on recordings, or on noise, a tone, clicks and silence.

    Args:
        path: A `.tflite` or `.keras` file.
        console: Where to.
        recordings: Of any length and rate.
        frames: See `inspection.inspect`.

    Raises:
        KerasnasError: The file cannot be read, or a recording cannot.
    """
    path = Path(path)
    found = inspect(path, frames)
    found.print(console)
    if found.file.front_end is None:
        return found
    front_end, settings = front_end_of(path)
    waves = [np.ascontiguousarray(read(Path(p), settings.sample_rate)[:, 0]) for p in recordings]
    largest = largest_difference(front_end, settings, waves or probes(settings))
    on = (
        counted(len(recordings), "recording") if recordings else "noise, a tone, clicks and silence"
    )
    verdict = "the same" if largest < LIMIT else f"above the limit, {LIMIT:g}: not the same"
    defaults = type(settings)().model_dump(mode="json")
    values = settings.model_dump(mode="json", exclude={"seconds", "like"})
    told = [f"{name}: {value}" for name, value in values.items() if value != defaults[name]]
    console.print(f"[bold]features[/bold]: {{{', '.join(told)}}}", highlight=False)
    console.print(f"largest difference on {on}: {largest:.2g} ({verdict})", highlight=False)
    return found
