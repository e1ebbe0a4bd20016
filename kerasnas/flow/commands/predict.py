"""Tags for recordings of any length, by an exported file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kerasnas.datasets.table import AUDIO_SUFFIXES, printable
from kerasnas.decisions.events import Detection
from kerasnas.decisions.settings import DecisionSettings
from kerasnas.decisions.whole import decide
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.features import FrontEnd, StoredEmbedding, clip_features, read, sliding
from kerasnas.features import front_end as front_end_of
from kerasnas.features.audio import Waveform, blocks, read_header
from kerasnas.features.clip_features import fit_length, sounding
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.features.settings import Spectrogram
from kerasnas.files import write_atomically
from kerasnas.flow.commands.foreign import WaveformClip, read_foreign
from kerasnas.flow.result import Result
from kerasnas.flow.task.scores import Thresholds, read_thresholds
from kerasnas.paths import StrPath
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import FrontEndDescription, Postprocessing
from kerasnas.runs.run import read_labels

UNKNOWN = "unknown"
"""What stands for the tags of a clip in which no class reaches its threshold."""

HOPS = 4
"""Windows of a stream begin so often within one, by default."""

_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """Scores of one recording.

    Attributes:
        recording: The file.
        classes: Names of the classes.
        times: Start and end of every clip, seconds.
        scores: `(clips, classes)`: the mean over each clip's segments, and over its channels where
            each is an example.
        thresholds: Score from which each class counts as heard, `(classes,)`; None where none
            were chosen or given.
        one_label: Whether a clip has the best class alone, or every class that is heard.
        events: What sounds from when to when; None without tuned decisions, for a recording that is
            no longer than a clip, and for clips at another hop than decisions were tuned for.
    """

    recording: Path
    classes: tuple[str, ...]
    times: tuple[tuple[float, float], ...]
    scores: NDArray[np.float32]
    thresholds: Thresholds | None = None
    one_label: bool = True
    events: tuple[Detection, ...] | None = None

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        means = self.scores.mean(axis=0)
        best = int(means.argmax())
        return {
            "recording": printable(self.recording),
            "clips": f"{len(self.times)} in {self.times[-1][1]:.1f} s",
            "highest mean score": f"{self.classes[best]} {means[best]:.2f}",
        }

    def data(self) -> list[dict[str, Any]]:
        """See `Result` and `rows`."""
        return self.rows()

    @property
    def heard(self) -> NDArray[np.bool_]:
        """Whether a class reaches its threshold, `(clips, classes)`; never without thresholds."""
        if self.thresholds is None:
            return np.zeros(self.scores.shape, bool)
        return self.scores >= self.thresholds

    def decisions(self) -> tuple[tuple[str, ...], ...]:
        """Return the classes that each clip is tagged with; none where nothing is heard.

        Without thresholds the best class is taken, whatever its score.
        """
        best = np.eye(len(self.classes), dtype=bool)[self.scores.argmax(axis=1)]
        if self.thresholds is None:
            chosen = best
        else:
            chosen = self.heard & best if self.one_label else self.heard
        return tuple(
            tuple(name for name, there in zip(self.classes, row, strict=True) if there)
            for row in chosen
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each clip: recording, start and stop in seconds, tags, and scores.

        Names of scores begin with `score_`: a class may be called `stop`.
        """
        return [
            {
                "recording": printable(self.recording),
                "start": round(start, 3),
                "stop": round(stop, 3),
                "tags": ";".join(tags) or UNKNOWN,
                **{
                    f"score_{name}": round(float(score), 4)
                    for name, score in zip(self.classes, scores, strict=True)
                },
            }
            for (start, stop), tags, scores in zip(
                self.times, self.decisions(), self.scores, strict=True
            )
        ]

    def event_table(self) -> Table:
        """Return a row for each event."""
        table = Table(
            title=Text(printable(self.recording), style="table.title"), title_justify="left"
        )
        table.add_column("seconds", justify="right")
        table.add_column("event")
        table.add_column("score", justify="right")
        for event in self.events or ():
            span = f"{event.start:.2f}-{event.stop:.2f}"
            table.add_row(span, escape(event.label), f"{event.score:.2f}")
        if not self.events:
            table.add_row("", "no event", "")
        return table

    def table(self, top: int = 3) -> Table:
        """Return the best `top` classes of every clip, with a mark at those that are heard."""
        caption = None
        if self.thresholds is not None:
            caption = "* reaches its threshold"
        table = Table(
            title=Text(printable(self.recording), style="table.title"),
            title_justify="left",
            caption=caption,
            caption_justify="left",
        )
        table.add_column("seconds", justify="right")
        table.add_column("tags")
        for (start, stop), scores, marked, tags in zip(
            self.times, self.scores, self.heard, self.decisions(), strict=True
        ):
            best = np.argsort(-scores)[:top]
            text = ", ".join(
                f"{self.classes[i]} {scores[i]:.2f}{'*' if marked[i] else ''}" for i in best
            )
            table.add_row(
                f"{start:.1f}-{stop:.1f}", escape(text if tags else f"{UNKNOWN} ({text})")
            )
        return table


@dataclass(frozen=True)
class Predictor:
    """An exported file, opened, with its front end and labels.

    Attributes:
        model: The `.tflite` file.
        settings: Its front end, or what it says of its waveform.
        classes: Its labels.
        network: See `kerasnas.export.load`.
        thresholds: Score from which each class counts as heard, `(classes,)`; None for the best.
        one_label: Whether a clip has one class.
        decisions: How scores become events; None where that was not tuned.
    """

    model: Path
    settings: RecordingFrontEnd | WaveformClip
    classes: tuple[str, ...]
    network: Any
    thresholds: Thresholds | None
    one_label: bool
    decisions: DecisionSettings | None = None

    @classmethod
    def open(cls, model: StrPath, threshold: float | None = None) -> Predictor:
        """Open a file; see `predict`."""
        from kerasnas.export import load

        model = Path(model)
        settings, classes = front_end(model)
        network = load(model)
        if network.outputs != len(classes):
            raise KerasnasError(
                f"{model} gives {network.outputs} scores and has {len(classes)} labels: keep the "
                "files of one export together"
            )
        if isinstance(settings, StoredEmbedding):
            raise KerasnasError(
                f"{model} takes embeddings that a data set has stored, not recordings: make them "
                "by a front end of kind embedding, with a file of your own"
            )
        chosen = read_thresholds(model, classes)
        one_label = chosen is None
        if threshold is not None:
            if not 0 <= threshold <= 1:
                raise KerasnasError(f"threshold: {threshold:g} is no score from 0 to 1")
            chosen = np.full(len(classes), threshold)
        path = ExportPaths(model.parent).postprocessing
        decisions = Postprocessing.read(path).settings if path.is_file() else None
        return cls(model, settings, classes, network, chosen, one_label, decisions)

    def score(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return the scores of one clip, `(classes,)`: of `(samples, channels)`, filled up."""
        settings, network = self.settings, self.network
        if isinstance(settings, WaveformClip) or len(network.input_shape) == 1:
            found = network.predict(fit_length(waveform, settings).T)
            return np.asarray(found.reshape(-1, network.outputs).mean(axis=0))
        return np.asarray(network.predict(clip_features(waveform, settings)).mean(axis=0))

    def predict(self, recording: StrPath, hop_seconds: float | None = None) -> Prediction:
        """Score a recording; see `predict`."""
        recording, settings, decisions = Path(recording), self.settings, self.decisions
        if decisions is not None and hop_seconds is None:
            hop_seconds = decisions.hop_seconds
        if isinstance(settings, Spectrogram) and settings.channel_examples:
            # However many this recording has.
            channels = read_header(recording).channels
            settings = settings.model_copy(update={"channel_examples": channels})
        rate, cut, times, scores = settings.sample_rate, 0.0, [], []
        sound: Iterable[Waveform] = blocks(recording, rate, settings.file_channels)
        if settings.trim is not None:  # where silence ends is known when all has been read
            waveform = read(recording, rate, settings.file_channels)
            heard = sounding(waveform, settings)
            sound, cut = [waveform[heard]], heard.start / rate
        scorer = replace(self, settings=settings)
        for window in sliding(sound, settings, hop_seconds):
            times.append((cut + window.start, cut + window.stop))
            scores.append(scorer.score(window.waveform))
        array = np.array(scores, np.float32)
        events = None
        if decisions is not None and len(times) > 1 and hop_seconds == decisions.hop_seconds:
            starts = np.array([start for start, _ in times])
            events = decide(decisions, self.classes, starts, array)
        return Prediction(
            recording, self.classes, tuple(times), array, self.thresholds, self.one_label, events
        )


def predict(
    model: StrPath,
    recording: StrPath,
    hop_seconds: float | None = None,
    threshold: float | None = None,
) -> Prediction:
    """Score a recording, clip by clip.

    Args:
        model: A `.tflite` file beside its `labels.txt` and `features.json`, and the
            `thresholds.json` that exports of taggers have, and the `postprocessing.json` that
            `kerasnas tune-decisions` writes; or one from elsewhere that takes a
            waveform and has its sample rate and labels in its metadata.
        recording: Any length and format, and any number of channels where each is an example; the
            last clip ends where the recording ends. Silent ends are cut first, where the front end
            cuts them.
        hop_seconds: Time between the beginnings of two clips; by default what decisions were tuned
            for, or the clip length.
        threshold: Score below which a class does not count as heard, 0 to 1; replaces the
            thresholds of the export. Clips in which nothing is heard are unknown.

    Raises:
        KerasnasError: A file is missing or damaged, or they do not belong together.
    """
    _check_hop(hop_seconds)
    return Predictor.open(model, threshold).predict(recording, hop_seconds)


def predict_files(
    model: StrPath,
    recordings: Iterable[StrPath],
    hop_seconds: float | None = None,
    threshold: float | None = None,
) -> Iterator[Prediction]:
    """Score recordings, those in directories and of patterns among them, in order of their names.

    Args:
        model: See `predict`.
        recordings: Files; directories, searched with all below them; patterns such as `a/*.wav`.
        hop_seconds: See `predict`.
        threshold: See `predict`.

    Raises:
        KerasnasError: As from `predict`; a recording that cannot be used is named when all others
            are done.
    """
    _check_hop(hop_seconds)
    files = find_recordings(recordings)
    predictor = Predictor.open(model, threshold)
    problems = []
    for file in files:
        try:
            yield predictor.predict(file, hop_seconds)
        except KerasnasError as error:
            problems.append(str(error))
    if problems:
        shown = "\n".join(problems[:_SHOWN])
        more = f"\nand {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        count = "" if len(files) == 1 else f"{len(problems)} of {len(files)} recordings:\n"
        raise KerasnasError(f"{count}{shown}{more}")


def find_recordings(given: Iterable[StrPath]) -> tuple[Path, ...]:
    """Return the files that are meant by names of files and directories and by patterns.

    Raises:
        KerasnasError: Nothing is there under a name.
    """
    found: dict[Path, None] = {}
    for each in given:
        path = Path(each)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if _is_recording(file, path))
            if not files:
                raise KerasnasError(
                    f"{path} holds no recordings ({', '.join(AUDIO_SUFFIXES)}): give another"
                )
        elif path.exists() or not set(str(path)) & set("*?["):
            files = [path]
        else:
            all_files = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            hidden = path.name.startswith(".")  # only such a pattern means them, as in a shell
            files = sorted(file for file in all_files if hidden or not file.name.startswith("."))
            if not files:
                raise KerasnasError(f"{path} matches no file: give a file, directory or pattern")
        found |= dict.fromkeys(files)
    return tuple(found)


def _is_recording(path: Path, folder: Path) -> bool:
    """Whether a folder's file is a recording: hidden ones are what file systems leave behind."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()


def write_rows(predictions: Sequence[Prediction], table: Path | None) -> None:
    """Write the rows of predictions as a CSV table, if one is asked for."""
    if table is None:
        return
    rows = [row for prediction in predictions for row in prediction.rows()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(table, text.getvalue())


def _check_hop(hop_seconds: float | None) -> None:
    if hop_seconds is not None and not 0 < hop_seconds < math.inf:
        raise KerasnasError(f"hop_seconds: {hop_seconds:g} is no number of seconds above 0")


def front_end(model: Path) -> tuple[FrontEnd | WaveformClip, tuple[str, ...]]:
    """Front end and labels that lie beside a model file, or are in it.

    Raises:
        KerasnasError: They are not there, or are damaged.
    """
    if not model.is_file():
        raise KerasnasError(f"{model} is no file: give a .tflite file of an export")
    if model.suffix == ".keras":
        raise KerasnasError(f"{model} is a Keras model: give a .tflite file of its export")
    paths = ExportPaths(model.parent)
    if not paths.front_end.is_file():
        try:
            return read_foreign(model)
        except (ExportError, KerasnasError) as error:
            raise KerasnasError(
                f"{model} needs {paths.front_end.name} and {paths.labels.name} of its export "
                "beside it, or the sample rate of a waveform and labels in its own metadata: "
                f"{paths.front_end} does not exist; {error}"
            ) from None
    settings = FrontEndDescription.read(paths.front_end).settings
    try:
        front = front_end_of(settings)
    except ValueError as error:
        raise KerasnasError(f"{paths.front_end} does not describe a front end: {error}") from None
    return front, read_labels(paths)
