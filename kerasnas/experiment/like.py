"""`features: {kind: log_mel, like: FILE}`: the settings of a file's own front end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.export.flatbuffer.reading import metadata_of, open_graph
from kerasnas.export.waveforms.recognise import FoundFrontEnd, recognise
from kerasnas.features.like import LIMIT, largest_difference, settings_like
from kerasnas.features.settings import LogMel
from kerasnas.files import digest
from kerasnas.paths import expanded

_OWN = frozenset(
    {
        "kind",
        "seconds",
        "channels",
        "channel_examples",
        "trim",
        "pad",
        "segment_frames",
        "segment_hop",
        "segment_rest",
        "storage",
        "like",
    }
)
"""Settings that stay the experiment's."""


def resolve_like(features: Any) -> Any:
    """Return settings as they are read from YAML, with those of the file that `like` names.

    A `like` that was read before has the file's SHA-256 beside the numbers: it is left as it is, so
    that a run needs its file once.

    Raises:
        ValueError: The file cannot be read, or a setting is given that is the file's.
    """
    if not isinstance(features, Mapping) or not isinstance(features.get("like"), str | Path):
        return features
    path = expanded(features["like"])
    if features.get("kind", "log_mel") != "log_mel":
        raise ValueError(f"like: goes with kind: log_mel, not {features['kind']}")
    try:
        found, settings = front_end_of(path)
    except KerasnasError as error:
        raise ValueError(f"like: {error}") from None
    theirs = settings.model_dump(mode="json", exclude=set(_OWN))
    for name in theirs.keys() & features.keys():
        raise ValueError(
            f"{name}: {features[name]!r} is given beside like: {path}, whose own is "
            f"{theirs[name]!r}: leave it out"
        )
    difference = largest_difference(found, settings, probes(settings))
    if not difference < LIMIT:
        raise ValueError(
            f"like: features differ from those of {path} by up to {difference:.2g}, where "
            f"{LIMIT:g} is allowed: its front end does something else, too, and cannot be used"
        )
    return {**features, **theirs, "like": {"file": str(path), "sha256": digest(path)}}


def check(given: BaseModel, path: Path, wanted: LogMel) -> None:
    """Refuse features that are others than a file was trained on.

    Raises:
        KerasnasError: They are; the first setting that differs is named.
    """
    theirs = wanted.model_dump(mode="json", exclude=set(_OWN) - {"kind"})
    own = given.model_dump(mode="json")
    for name, value in theirs.items():
        if own.get(name) != value:
            raise KerasnasError(
                f"features.{name} is {own.get(name)!r}, and {path} was trained on {value!r}: give "
                f"features: {{kind: log_mel, like: {path}}}"
            )


def front_end_of(path: Path) -> tuple[FoundFrontEnd, LogMel]:
    """Return what a `.tflite` file does to a waveform, and the settings that do the same.

    Raises:
        KerasnasError: The file cannot be read, takes no waveform, or does something to it that
            features cannot do; the message names the file.
    """
    try:
        file, content = open_graph(path), path.read_bytes()
        found = recognise(content, metadata_of(file, content))
    except ExportError as error:
        text = str(error)
        raise KerasnasError(text if str(path) in text else f"{path}: {text}") from None
    if found is None:
        raise KerasnasError(
            f"{path} takes a spectrogram, which does not say how it is made: give the settings "
            "(sample_rate, n_fft, window_length, hop_length, mel_bins, fmin, fmax, power, log, …) "
            "from the page the file comes from, instead of like"
        )
    try:
        return found, settings_like(found)
    except KerasnasError as error:
        raise KerasnasError(f"the front end of {path} cannot be used: {error}") from None


def probes(settings: LogMel) -> list[np.ndarray]:
    """Return waveforms to compare front ends on: fading noise, a rising tone, clicks, silence.

    The tone has the noise that every recording has. Of a pure one, what float32 loses in a
    transform is some 0.005 of a logarithm, whatever the front end.
    """
    rate, rng = settings.sample_rate, np.random.default_rng(0)
    time = np.arange(2 * rate, dtype=np.float64) / rate
    noise = rng.normal(0, 0.3, len(time)) * np.geomspace(1, 1e-4, len(time))
    tone = 0.5 * np.sin(2 * np.pi * (20 + rate / 8 * time) * time) + rng.normal(0, 3e-3, len(time))
    clicks = np.where(np.arange(len(time)) % (rate // 7) == 0, 1.0, 0.0)
    return [wave.astype(np.float32) for wave in (noise, tone, clicks, 0 * time)]
