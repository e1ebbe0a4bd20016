"""`kerasnas inspect FOLDER`: a page on recordings, to look at before anything is trained."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from kerasnas import datasets, experiment
from kerasnas.datasets import Clips, LayoutSettings
from kerasnas.datasets.groups import group_key, grouped
from kerasnas.datasets.table import Problems
from kerasnas.errors import KerasnasError
from kerasnas.export import load
from kerasnas.features import LogMel, read
from kerasnas.features.audio import read_header
from kerasnas.files import copies, write_atomically
from kerasnas.flow.commands.foreign import read_foreign
from kerasnas.flow.commands.init import layout_of
from kerasnas.flow.commands.looking.measured import SECONDS, Embed, Measured, measure, spectrogram
from kerasnas.flow.result import Result
from kerasnas.flow.task.excerpts import excerpt, within
from kerasnas.paths import StrPath, expanded
from kerasnas.report.data_page import DataView, Point, data_page
from kerasnas.training.review.baseline import measure as measure_baselines
from kerasnas.training.review.label_errors import suspects

PAGE = "data.html"

_HEARD = 2000  # recordings at most
_SHOWN = 400  # points: each has a picture of some 3 kB
_SUSPECTS = 50
_FEWEST = 8  # clips that a map is made of
_COMPONENTS = 50
_SEED = 0


@dataclass(frozen=True, repr=False)
class LookedAt(Result):
    """What was found about recordings.

    Attributes:
        page: The file that shows all of it.
        clips: Number of clips.
        classes: Number of clips of each class.
        groups: Number of groups; 0 where it is not known which clips belong together.
        copies: Recordings that hold the same bytes as another, and that one.
        clipped: Recordings with runs of samples at full scale.
        silent: Recordings in which next to nothing is heard.
        suspects: Clips whose labels are probably wrong, and what they look like.
    """

    page: Path
    clips: int
    classes: dict[str, int]
    groups: int
    copies: dict[str, str]
    clipped: tuple[str, ...]
    silent: tuple[str, ...]
    suspects: dict[str, str]

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        return {
            "clips": f"{self.clips:,} of {len(self.classes)} classes",
            "groups": f"{self.groups:,}" if self.groups else "not known",
            "copies": f"{len(self.copies)}",
            "clipped": f"{len(self.clipped)}",
            "silent": f"{len(self.silent)}",
            "labels to check": f"{len(self.suspects)}",
            "page": str(self.page),
        }


def inspect_data(
    source: StrPath,
    output: StrPath | None = None,
    *,
    audio: bool | None = None,
    pretrained: StrPath | None = None,
    console: Console | None = None,
) -> LookedAt:
    """Look at recordings and write a page about them.

    Up to 2 000 recordings are listened to, ten seconds each, evenly spaced among all.

    Args:
        source: A folder of recordings, as `init` takes it, or an experiment file.
        output: The page; by default `data.html`.
        audio: Whether the page holds parts of the recordings; None: as `report.audio` of the
            experiment says, and not for a folder.
        pretrained: A `.tflite` file that takes a waveform: clips are compared by its answers.
        console: Where progress is shown.

    Raises:
        KerasnasError: The recordings cannot be read; every one that cannot is named.
    """
    console = console or Console(quiet=True)
    settings, heard = _source(Path(source), audio)
    clips = datasets.load(settings, settings.directory(None))
    if settings.stored:
        raise KerasnasError(f"{source}: {settings.dataset} holds embeddings, and no recordings")
    seconds = _lengths(clips)
    chosen = np.linspace(0, len(clips) - 1, min(_HEARD, len(clips))).round().astype(int)
    shown = spectrogram(float(np.quantile(seconds, 0.9)))
    embed = None if pretrained is None else _answers(expanded(pretrained))
    found = _listen(clips, chosen, shown, embed, console)
    with console.status("Comparing clips"):
        known = np.stack([each.statistics for each in found])
        heard_rows = np.flatnonzero([not each.silent for each in found])
        suspected = _suspects(clips, chosen, known, heard_rows)
        places = _places(_components(known))
    same = {
        clips[one].id: clips[other].id for one, other in copies([c.path for c in clips]).items()
    }
    view, result = _view(
        clips, chosen, found, seconds, suspected, same, Path(PAGE if output is None else output)
    )
    points = _points(clips, chosen, found, places, suspected, shown if heard else None)
    what = "statistics of spectrograms" if pretrained is None else f"the answers of {pretrained}"
    page = data_page(DataView(**view, points=points, embedded=what))
    write_atomically(result.page, page, durable=False)
    return result


def _source(source: Path, audio: bool | None) -> tuple[LayoutSettings, bool]:
    """Return the data set, and whether its recordings may be heard."""
    if source.is_dir():
        return layout_of(source), bool(audio)
    known = experiment.load(source)
    return known.data, known.report.audio if audio is None else audio


def _lengths(clips: Clips) -> NDArray[np.float64]:
    problems, found = Problems(), []
    for clip in clips:
        try:
            found.append(read_header(clip.path).seconds)
        except KerasnasError as error:
            problems.add(str(error))
    problems.check()
    return np.array(found)


def _listen(
    clips: Clips,
    chosen: NDArray[np.int64],
    settings: LogMel,
    embed: Embed | None,
    console: Console,
) -> list[Measured]:
    problems, found = Problems(), []
    quiet = console.quiet or not console.is_terminal
    for index in track(chosen, "Listening", console=console, disable=quiet):
        try:
            found.append(measure(clips[int(index)].path, settings, embed))
        except KerasnasError as error:
            problems.add(str(error))
    problems.check()
    return found


def _answers(file: Path) -> Embed:
    """Return what makes the mean and deviation of a file's answers to a recording's windows.

    Answers are taken as logarithms, as scores near 0 differ by factors.
    """
    clip, _ = read_foreign(file)
    network = load(file)

    def embed(path: Path) -> NDArray[np.float32]:
        samples = read(path, clip.sample_rate, 1, seconds=SECONDS)[:, 0]
        count = max(1, len(samples) // clip.samples)
        padded = np.pad(samples, (0, max(0, clip.samples - len(samples))))
        windows = padded[: count * clip.samples].reshape(count, clip.samples)
        answers = np.log(np.maximum(network.predict(windows), 1e-6))
        return np.concatenate([answers.mean(axis=0), answers.std(axis=0)])

    return embed


def _components(statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return statistics of clips `(clips, values)` as standardised principal components."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(statistics)
    most = min(_COMPONENTS, len(scaled), scaled.shape[1])
    return np.asarray(PCA(most, random_state=_SEED).fit_transform(scaled), np.float32)


def _places(known: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return each clip's place on the map, from 0 to 1, `(clips, 2)`; None for too few clips."""
    from sklearn.manifold import TSNE

    if len(known) < _FEWEST:
        return None
    near = min(30.0, (len(known) - 1) / 3)
    places = TSNE(perplexity=near, init="pca", random_state=_SEED).fit_transform(known)
    least, most = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - least) / np.maximum(most - least, 1e-9), np.float32)


def _suspects(
    clips: Clips,
    chosen: NDArray[np.int64],
    known: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> dict[int, str]:
    """Return which of the chosen clips probably have wrong labels, and what they look like.

    Args:
        clips: All of them.
        chosen: Indices of those that were listened to.
        known: Statistics of these.
        rows: Of `chosen`, those to judge: silence is like no class.

    Returns:
        By row of `chosen`, the most probable first; nothing where a class has a single clip.
    """
    targets = clips.targets()[chosen[rows]]
    if len(rows) < _FEWEST or (targets.sum(axis=0) < 2).any():
        return {}
    measured = measure_baselines(
        known[rows][:, None, None, :],
        targets,
        np.arange(len(rows)),
        {},
        multi_label=clips.multi_label,
        loss="binary_crossentropy" if clips.multi_label else "categorical_crossentropy",
        groups=_grouped(clips).groups[chosen[rows]],
    )
    found = suspects(targets, measured.out_of_fold, multi_label=clips.multi_label)[:_SUSPECTS]
    return {
        int(rows[each.index]): "looks like "
        + (";".join(clips.classes[label] for label in each.suggested) or "none of the classes")
        for each in found
    }


def _grouped(clips: Clips) -> Clips:
    key = group_key(clips)
    return clips if key is None else grouped(clips, key)


def _view(
    clips: Clips,
    chosen: NDArray[np.int64],
    found: Sequence[Measured],
    seconds: NDArray[np.float64],
    suspected: dict[int, str],
    same: dict[str, str],
    page: Path,
) -> tuple[dict[str, Any], LookedAt]:
    """Return what the page shows beside the map, and the result."""
    ids = [clips[int(index)].id for index in chosen]
    labelled = {clip.id: ";".join(clip.labels) or "nothing" for clip in clips}
    clipped = {
        id: f"{each.clipped:.2%} of the samples"
        for id, each in zip(ids, found, strict=True)
        if each.clipped
    }
    silent = {id: each.said() for id, each in zip(ids, found, strict=True) if each.silent}
    wrong = {ids[row]: f"labelled {labelled[ids[row]]}, {said}" for row, said in suspected.items()}
    groups = {clip.group for clip in _grouped(clips) if clip.group is not None}
    rates = Counter(each.header.rate for each in found)
    notes = list(clips.notes)
    if len(chosen) < len(clips):
        notes.append(f"{len(chosen):,} of {len(clips):,} recordings were listened to.")
    if not groups:
        notes.append("It is not known which clips belong together: scores may be too high.")
    copied = [(id, f"the same bytes as {other}") for id, other in same.items()]
    lists = [
        ("Copies", "Splits that are made here keep copies together; they count twice.", copied),
        ("Labels to check", "By regressions that have not seen the clip.", [*wrong.items()]),
        ("Clipped", "Runs of three samples or more at full scale.", [*clipped.items()]),
        ("Silent", "Nothing above -60 dB of full scale.", [*silent.items()]),
    ]
    view = {
        "name": clips.name,
        "tiles": {
            "clips": f"{len(clips):,}",
            "classes": f"{len(clips.classes)}",
            "hours": f"{seconds.sum() / 3600:.2f}",
            "shortest to longest": f"{seconds.min():.2f} to {seconds.max():.2f} s",
            "groups": f"{len(groups):,}" if groups else "not known",
            "sample rates": ", ".join(f"{rate:,}" for rate in sorted(rates)),
        },
        "counts": clips.counts,
        "seconds": seconds,
        "peaks": np.array([each.peak for each in found]),
        "rates": rates,
        "channels": Counter(each.header.channels for each in found),
        "lists": lists,
        "notes": notes,
    }
    result = LookedAt(
        page, len(clips), clips.counts, len(groups), same, tuple(clipped), tuple(silent), wrong
    )
    return view, result


def _points(
    clips: Clips,
    chosen: NDArray[np.int64],
    found: Sequence[Measured],
    places: NDArray[np.float32] | None,
    suspected: dict[int, str],
    heard: LogMel | None,
) -> list[Point]:
    """Return the points of the map: suspects, what is clipped or silent, and some of the rest."""
    if places is None:
        return []
    odd = [row for row, each in enumerate(found) if each.clipped or each.silent]
    even = np.linspace(0, len(found) - 1, min(_SHOWN, len(found))).round().astype(int).tolist()
    rows = list(dict.fromkeys([*suspected, *odd, *even]))[:_SHOWN]
    paths = [clips[int(chosen[row])].path for row in rows]
    sounds = [] if heard is None else list(within(excerpt(path, heard) for path in paths))
    column = {name: index for index, name in enumerate(clips.classes)}
    points = []
    for number, row in enumerate(rows):
        clip, each = clips[int(chosen[row])], found[row]
        said = "; ".join(filter(None, [each.said(), suspected.get(row)]))
        points.append(
            Point(
                clip.id,
                ";".join(clip.labels) or "nothing",
                column[clip.labels[0]] if clip.labels else len(column),
                (float(places[row, 0]), float(places[row, 1])),
                said,
                each.png,
                base64.b64encode(sounds[number].mp3).decode() if number < len(sounds) else None,
            )
        )
    return points
