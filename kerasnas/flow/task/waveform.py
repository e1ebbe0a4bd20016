"""From an experiment's front end to one inside a `.tflite` file, and the waveforms it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.waveforms.file import WaveformInput
from kerasnas.export.waveforms.front_end import FrozenFrontEnd, WaveformFrontEnd, decibels
from kerasnas.features import FrontEnd, LogMel, Mfcc, Scalogram, TfioLogMel, read
from kerasnas.features.clip_features import fit_length
from kerasnas.features.description import decode
from kerasnas.features.front_ends import in_files
from kerasnas.features.morlet import bank
from kerasnas.features.spectral.log_mel import mel_filters
from kerasnas.features.spectral.mfcc import cosines
from kerasnas.features.spectral.spectrogram import window
from kerasnas.flow.task.task import Indices, Task


def graph_front_end(settings: FrontEnd) -> WaveformFrontEnd | FrozenFrontEnd:
    """Return what `kerasnas.export.with_front_end` writes for an experiment's front end.

    Raises:
        KerasnasError: See `kerasnas.features.front_ends.in_files`.
        ExportError: Its transform has a length that no phone's runtime knows.
    """
    settings = in_files(settings)
    if isinstance(settings, TfioLogMel):
        return _frozen(settings)
    in_decibels = settings.log == "db"
    frames = settings.segment_frames or settings.clip_frames
    filters: NDArray[np.float32] | None = _filters(settings)
    projection = cosines(settings) if isinstance(settings, Mfcc) else None
    if isinstance(settings, Scalogram) and settings.logarithm == "before_bank":
        filters, projection = None, filters
    return WaveformFrontEnd(
        sample_rate=settings.sample_rate,
        samples=settings.samples,
        window=window(settings),
        hop_length=settings.hop_length,
        center=settings.center,
        power=settings.power,
        filters=filters,
        amin=settings.amin,
        scale=decibels(settings.power) if in_decibels else 1.0,
        ref=settings.ref if in_decibels else 1.0,
        top=settings.top_db if in_decibels else None,
        segment_frames=frames,
        segment_hop=settings.segment_hop or frames,
        segments=settings.segments,
        offset=settings.log_offset,
        zeros=settings.n_fft - settings.fft_window if settings.window_place == "start" else 0,
        projection=projection,
    )


def _frozen(settings: TfioLogMel) -> FrozenFrontEnd:
    from kerasnas.features.tfio import frozen

    frames = settings.segment_frames or settings.clip_frames
    return FrozenFrontEnd(
        content=frozen(settings),
        sample_rate=settings.sample_rate,
        samples=settings.samples,
        values=settings.bins,
        segment_frames=frames,
        segment_hop=settings.segment_hop or frames,
        segments=settings.segments,
    )


def waveform_input(task: Task, test: Indices, golden: dict[str, Any]) -> WaveformInput:
    """Return what `kerasnas.export.export` makes files that take waveforms of, and checks them on.

    Args:
        task: The task.
        test: Clips that nobody trained on.
        golden: See `features.golden`.

    Raises:
        KerasnasError, ExportError: As from `graph_front_end`.
    """
    samples = decode(golden["waveform"])[:, 0]
    return WaveformInput(
        front=graph_front_end(task.experiment.features),
        classes=task.clips.classes,
        waveforms=lambda: waveforms(task, test),
        golden=samples.astype(np.float32) / np.float32(32768),
        features=decode(golden["features"]),
    )


def waveforms(task: Task, clips: Indices) -> Iterator[NDArray[np.float32]]:
    """Waveforms of clips, cropped or filled up to the clip length, float32 `(samples,)` each.

    Raises:
        KerasnasError: See `kerasnas.features.front_ends.in_files`.
    """
    settings = in_files(task.experiment.features)
    for clip in clips:
        path = task.clips[int(clip)].path
        waveform = read(path, settings.sample_rate, seconds=settings.seconds)
        yield np.ascontiguousarray(fit_length(waveform, settings)[:, 0])


def _filters(settings: LogMel | Mfcc | Scalogram) -> NDArray[np.float32]:
    if isinstance(settings, Scalogram):
        return bank(settings.n_fft, settings.octaves, settings.filters_per_octave)
    if isinstance(settings, LogMel | Mfcc):
        return mel_filters(settings)
    raise TypeError(f"features of kind {settings.kind} have no filters")
