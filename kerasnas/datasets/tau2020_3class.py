"""TAU Urban Acoustic Scenes 2020 3Class (DCASE 2020 task 1B), development set, official layout.

T. Heittola, A. Mesaros, T. Virtanen, "Acoustic scene classification in DCASE 2020 challenge:
generalization across devices and low complexity solutions", 2020. `audio/` holds ten seconds each
of stereo at 48 kHz and 24 bits, called `SCENE-CITY-LOCATION-SEGMENT-a.wav`. `meta.csv` has the
columns filename, scene_label, identifier (city and location) and source_label, parted by tabs,
`evaluation_setup/fold1_train.csv` and `fold1_evaluate.csv` filename and scene_label,
`fold1_test.csv` (which is not read) the filename alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import audio_file, rows
from kerasnas.errors import KerasnasError

LABELS = ("indoor", "outdoor", "transportation")
SCENES = {
    "airport": "indoor",
    "bus": "transportation",
    "metro": "transportation",
    "metro_station": "indoor",
    "park": "outdoor",
    "public_square": "outdoor",
    "shopping_mall": "indoor",
    "street_pedestrian": "outdoor",
    "street_traffic": "outdoor",
    "tram": "transportation",
}
"""The ten scenes, by which file names begin, and the three labels they were merged into."""

_SETUP = "evaluation_setup"
_LISTS = {"train": "fold1_train.csv", "test": "fold1_evaluate.csv"}


class Tau2020Settings(LayoutSettings):
    """TAU Urban Acoustic Scenes: which clips (see `kerasnas.datasets.tau2020_3class`)."""

    dataset: Literal["tau2020_3class"] = "tau2020_3class"
    multi_label: Literal[False] = Field(False, description="A clip carries one label.")
    labels: Literal["three", "ten"] = Field(
        "three", description="three: indoor, outdoor, transportation; ten: the scenes themselves."
    )
    lists: bool = Field(
        True,
        description="The clips of the official lists, with the splits train and test; false: all "
        "clips, without splits.",
    )

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load`."""
        return load(root, self)


def load(root: Path, settings: Tau2020Settings) -> Clips:
    """Clips of the official lists, with the splits `train` and `test`, or all of them.

    A clip's group is its place (city and location), which the lists do not separate either. The
    lists leave out some clips of `meta.csv`: they are there only when `settings.lists` is false,
    and then no clip has a split.

    Args:
        root: The directory with `meta.csv`.
        settings: Which clips and labels.

    Raises:
        KerasnasError: With file and line, when a list is malformed or contradicts `meta.csv` or
            the file's name, or a clip is missing or listed twice.
    """
    meta = root / "meta.csv"
    known: dict[str, Clip] = {}
    for where, row in rows(
        meta, ("filename", "scene_label", "identifier"), ("source_label",), delimiter="\t"
    ):
        name = row["filename"]
        if name in known:
            raise KerasnasError(f"{where}: {name} is listed twice")
        scene = _scene(where, name, row["scene_label"], row["identifier"])
        label = scene if settings.labels == "ten" else row["scene_label"]
        known[name] = Clip(name, audio_file(root / name, where), (label,), group=row["identifier"])
    clips = _listed(root, known) if settings.lists else known
    classes = tuple(sorted(SCENES)) if settings.labels == "ten" else LABELS
    return Clips(tuple(clips.values()), classes, False, "TAU Urban Acoustic Scenes 2020", root)


def _scene(where: str, name: str, label: str, identifier: str | None = None) -> str:
    """Return the scene that a file's name begins with, once it agrees with label and place."""
    scene, *rest = PurePosixPath(name).stem.split("-")
    if SCENES.get(scene) != label:
        raise KerasnasError(
            f"{where}: {name} is labelled {label!r}; "
            + (f"{scene} is {SCENES[scene]}" if scene in SCENES else f"there is no scene {scene}")
        )
    if identifier is not None and "-".join(rest[:2]) != identifier:
        raise KerasnasError(
            f"{where}: {name} has the identifier {identifier!r} where its name says "
            f"{'-'.join(rest[:2])!r} (city and location)"
        )
    return scene


def _listed(root: Path, known: dict[str, Clip]) -> dict[str, Clip]:
    """Return the clips of the lists, with their splits."""
    clips: dict[str, Clip] = {}
    for split, name_of_list in _LISTS.items():
        path = root / _SETUP / name_of_list
        for where, row in rows(path, ("filename", "scene_label"), delimiter="\t"):
            name = row["filename"]
            if name not in known:
                raise KerasnasError(f"{where}: {name} is not in {root / 'meta.csv'}")
            if name in clips:
                raise KerasnasError(f"{where}: {name} is listed twice ({clips[name].split})")
            _scene(where, name, row["scene_label"])
            clip = known[name]
            clips[name] = Clip(clip.id, clip.path, clip.labels, split=split, group=clip.group)
    return clips


@dataclass(frozen=True)
class Recorded:
    """A clip to be listed: its file below the root, and its split (None: in no list)."""

    file: str
    split: str | None


def write_lists(root: Path, clips: Iterable[Recorded]) -> None:
    """Write `meta.csv` and the lists of clips whose audio is below `root`."""
    clips = list(clips)
    meta = []
    for clip in clips:
        scene, city, location, _, device = PurePosixPath(clip.file).stem.split("-")
        meta.append((clip.file, SCENES[scene], f"{city}-{location}", device))
    _write(root / "meta.csv", ("filename", "scene_label", "identifier", "source_label"), meta)
    for split, name in _LISTS.items():
        mine = [line[:2] for line, clip in zip(meta, clips, strict=True) if clip.split == split]
        _write(root / _SETUP / name, ("filename", "scene_label"), mine)
        if split == "test":
            files = [line[:1] for line in mine]
            _write(root / _SETUP / "fold1_test.csv", ("filename",), files)


def _write(path: Path, header: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(line) + "\n" for line in (header, *lines)), encoding="utf-8")
