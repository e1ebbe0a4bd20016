"""Tags for recordings of any length, by an exported file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from kerasnas.errors import KerasnasError
from kerasnas.features import FrontEnd, StoredEmbedding, clip_features, read, sliding
from kerasnas.features import front_end as front_end_of
from kerasnas.features.clip_features import fit_length
from kerasnas.flow.task.result import Result
from kerasnas.flow.task.scores import Thresholds, read_thresholds
from kerasnas.paths import StrPath
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import FrontEndDescription
from kerasnas.runs.run import read_labels


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """Scores of one recording.

    Attributes:
        recording: The file.
        classes: Names of the classes.
        times: Start and end of every clip, seconds.
        scores: `(clips, classes)`: the mean over each clip's segments, and over its channels where
            each is an example.
        thresholds: From which score on each class counts as heard, `(classes,)`; None where none
            were chosen.
    """

    recording: Path
    classes: tuple[str, ...]
    times: tuple[tuple[float, float], ...]
    scores: NDArray[np.float32]
    thresholds: Thresholds | None = None

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        means = self.scores.mean(axis=0)
        best = int(means.argmax())
        return {
            "recording": str(self.recording),
            "clips": f"{len(self.times)} in {self.times[-1][1]:.1f} s",
            "highest mean score": f"{self.classes[best]} {means[best]:.2f}",
        }

    def table(self, top: int = 3) -> Table:
        """The best `top` classes of every clip, with a mark at those that count as heard."""
        heard = np.zeros(self.scores.shape, bool)
        caption = None
        if self.thresholds is not None:
            heard, caption = self.scores >= self.thresholds, "* reaches the tag's threshold"
        table = Table(
            title=str(self.recording), title_justify="left", caption=caption, caption_justify="left"
        )
        table.add_column("seconds", justify="right")
        table.add_column("tags")
        for (start, stop), scores, marked in zip(self.times, self.scores, heard, strict=True):
            best = np.argsort(-scores)[:top]
            tags = ", ".join(
                f"{self.classes[i]} {scores[i]:.2f}{'*' if marked[i] else ''}" for i in best
            )
            table.add_row(f"{start:.1f}-{stop:.1f}", tags)
        return table


def predict(model: StrPath, recording: StrPath, hop_seconds: float | None = None) -> Prediction:
    """Score a recording, clip by clip.

    Args:
        model: A `.tflite` file beside its `labels.txt` and `features.json`, and the
            `thresholds.json` that exports of taggers have.
        recording: Any length and format, and any number of channels where each is an example; the
            last clip ends where the recording ends.
        hop_seconds: Time between the beginnings of two clips; the clip length by default.

    Raises:
        KerasnasError: A file is missing or damaged, or they do not belong together.
    """
    from kerasnas.export import load

    model, recording = Path(model), Path(recording)
    settings, classes = front_end(model)
    network = load(model)
    if network.outputs != len(classes):
        raise KerasnasError(
            f"{model} gives {network.outputs} scores and its labels.txt has {len(classes)} lines: "
            "keep the files of one export together"
        )
    if isinstance(settings, StoredEmbedding):
        raise KerasnasError(
            f"{model} takes embeddings that a data set has stored, and {recording} is a recording: "
            "make them by a front end of kind embedding, with a file of your own"
        )
    if getattr(settings, "channel_examples", None):  # however many this recording has
        waveform = read(recording, settings.sample_rate, None)
        settings = settings.model_copy(update={"channel_examples": waveform.shape[1]})
    else:
        waveform = read(recording, settings.sample_rate, settings.file_channels)
    times, scores = [], []
    for window in sliding(waveform, settings, hop_seconds):
        times.append((window.start, window.stop))
        if len(network.input_shape) == 1:
            scores.append(network.predict(fit_length(window.waveform, settings).T)[0])
        else:
            features = clip_features(window.waveform, settings)
            scores.append(network.predict(features).mean(axis=0))
    thresholds = read_thresholds(model, classes)
    return Prediction(recording, classes, tuple(times), np.array(scores, np.float32), thresholds)


def front_end(model: Path) -> tuple[FrontEnd, tuple[str, ...]]:
    """Front end and labels that lie beside a model file.

    Raises:
        KerasnasError: They are not there, or are damaged.
    """
    if not model.is_file():
        raise KerasnasError(f"{model} is no file: give a .tflite file of an export")
    if model.suffix == ".keras":
        raise KerasnasError(f"{model} is a Keras model: give a .tflite file of its export")
    paths = ExportPaths(model.parent)
    if not paths.front_end.is_file():
        raise KerasnasError(
            f"{model} needs {paths.front_end.name} and {paths.labels.name} of its export beside "
            f"it: {paths.front_end} does not exist"
        )
    settings = FrontEndDescription.read(paths.front_end).settings
    try:
        front = front_end_of(settings)
    except ValueError as error:
        raise KerasnasError(f"{paths.front_end} does not describe a front end: {error}") from None
    return front, read_labels(paths)
