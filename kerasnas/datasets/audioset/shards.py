"""Shards of embeddings: TFRecord files of `SequenceExample` messages, and packed HDF5 files.

AudioSet's shards lie in directories `bal_train`, `unbal_train` and `eval` (research.google.com/
audioset/download.html, "Features dataset"). The packed files `bal_train.h5` and so on have `x`
(clips, frames, values) uint8, `y` (clips, classes) bool, and `video_id_list`. Either is streamed:
one clip, or one block of clips, is in memory.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasnas.datasets.audioset import tfrecord
from kerasnas.datasets.audioset.sequence_example import Embedded, parse, serialize
from kerasnas.datasets.audioset.tfrecord import Damage
from kerasnas.errors import KerasnasError

PACKED = (".h5", ".hdf5")
_BLOCK = 256  # clips of a packed file read at a time


class Stored(NamedTuple):
    """A clip and where it is stored: the number of its shard among those read, and its record's."""

    shard: int
    record: int
    clip: Embedded


def list_shards(root: Path, part: str) -> list[Path]:
    """Return the shards of a part, sorted by name.

    Raises:
        KerasnasError: There are none.
    """
    packed = [
        place / f"{part}{suffix}" for place in (root, root / "packed_features") for suffix in PACKED
    ]
    found = sorted((root / part).glob("*.tfrecord*")) or [p for p in packed if p.is_file()][:1]
    if not found:
        raise KerasnasError(
            f"{root} has neither {part}/*.tfrecord nor {part}.h5; leave {part} out of "
            "audioset: parts, or fetch it"
        )
    return found


def stream(
    shards: Iterable[Path], skip_corrupt: bool = False, skipped: list[str] | None = None
) -> Iterator[Stored]:
    """Yield the clips of some shards, in order.

    Args:
        shards: TFRecord files, or packed ones.
        skip_corrupt: Whether damaged records are left out.
        skipped: Gets a message for each that was.

    Raises:
        KerasnasError: Naming file and record, when a record is damaged.
    """
    for number, path in enumerate(shards):
        packed = path.suffix in PACKED
        for record, clip in _packed(path) if packed else _records(path):
            if isinstance(clip, Embedded):
                yield Stored(number, record, clip)
                continue
            message = f"{path}: record {record} cannot be read: {clip.reason}"
            if not skip_corrupt:
                raise KerasnasError(
                    f"{message}. Fetch the file again, or leave such records out with "
                    "data.audioset.skip_corrupt: true (kerasnas search --skip-corrupt)"
                )
            if skipped is not None:
                skipped.append(message)


def write(directory: Path, clips: Iterable[Embedded], clips_a_shard: int = 1024) -> list[Path]:
    """Write clips as `directory/00000.tfrecord` and so on."""
    directory.mkdir(parents=True, exist_ok=True)
    messages = (serialize(clip) for clip in clips)
    paths: list[Path] = []
    while block := list(islice(messages, clips_a_shard)):
        paths.append(directory / f"{len(paths):05d}.tfrecord")
        tfrecord.write(paths[-1], block)
    return paths


def _records(path: Path) -> Iterator[tuple[int, Embedded | Damage]]:
    try:
        if path.stat().st_size == 0:  # as an interrupted or a full disk's fetch leaves it
            yield 0, Damage(0, "the file is empty")
        for number, data in enumerate(tfrecord.records(path)):
            if isinstance(data, Damage):
                yield number, data
                continue
            try:
                yield number, parse(data)
            except ValueError as error:
                yield number, Damage(number, str(error))
    except OSError as error:
        raise KerasnasError(f"{path} cannot be read: {error.strerror}") from None


def _packed(path: Path) -> Iterator[tuple[int, Embedded | Damage]]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            x, y, names = (file[name] for name in ("x", "y", "video_id_list"))
            if x.ndim != 3 or y.ndim != 2 or not len(x) == len(y) == len(names):
                raise KerasnasError(
                    f"{path}: x {x.shape}, y {y.shape} and video_id_list {names.shape} do not "
                    "belong together: (clips, frames, values), (clips, classes) and (clips,) do"
                )
            for start in range(0, len(x), _BLOCK):
                block = slice(start, start + _BLOCK)
                rows = zip(x[block], y[block], names[block], strict=True)
                for number, (codes, labels, name) in enumerate(rows, start):
                    heard = np.flatnonzero(codes.any(axis=1))
                    # Packed files do not say how long a clip is: zeros at its end fill it up.
                    length = int(heard[-1]) + 1 if len(heard) else 1
                    video = name.decode() if isinstance(name, bytes) else str(name)
                    tags = tuple(np.flatnonzero(labels).tolist())
                    yield number, Embedded(video, None, tags, codes[:length].astype(np.uint8))
    except KeyError as error:
        raise KerasnasError(f"{path} has no data set x, y or video_id_list ({error})") from None
    except OSError as error:
        raise KerasnasError(f"{path} cannot be read as HDF5: {error}") from None
