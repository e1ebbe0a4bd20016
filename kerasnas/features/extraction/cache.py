"""Features of a whole data set: computed once by several processes, kept as one array on disk.

`CACHE/features/NAME-KEY/features.npy` is memory-mapped by whoever needs it. KEY stands for all
that shapes the array: the settings (with the content of a model file that they name), the
libraries, this code's version, and every file's path, size and time of change, in order. An entry
is filled beside its place and moved there whole, so two runs at once do no harm; the second waits
for the first, unless the file system has no locks. `about.json` keeps the array's CRC-32C, and
whoever opens the array checks it: some hundredths of a second for 100 MB.
"""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from kerasnas.datasets import Clips, cache_root
from kerasnas.datasets.places import filled_beside
from kerasnas.errors import DamagedError, KerasnasError
from kerasnas.features import tfio
from kerasnas.features.clip_features import cut_segments, fit_length
from kerasnas.features.embedding_settings import Embedding, StoredEmbedding
from kerasnas.features.extraction import stored
from kerasnas.features.extraction.workers import run_workers
from kerasnas.features.front_ends import FrontEnd
from kerasnas.features.mel_settings import TfioLogMel
from kerasnas.features.versions import (
    AS_IT_IS,
    Version,
    check_sources,
    version_features,
    version_waveform,
)
from kerasnas.features.waveform_model import digest
from kerasnas.files import taking_turns, write_atomically

VERSION = 1
"""To be raised with every change of this package that changes features."""

_BATCH = 64  # clips that a graph takes together
_BLOCK = 1 << 24  # bytes of an array that are read at once
LIBRARIES = ("librosa", "numpy", "soundfile", "soxr")
CLIPS_WORTH_A_PROCESS = 50
"""Fewer clips than this do not make up for starting another worker, which imports librosa."""


def extract(
    clips: Clips,
    settings: FrontEnd,
    cache: Path | str | None = None,
    processes: int = 1,
    progress: bool = True,
    version: Version = AS_IT_IS,
) -> np.memmap[Any, np.dtype[Any]]:
    """Features of all clips, read-only, from the cache when they are there.

    Args:
        clips: The data set; row n of the result belongs to `clips[n]`.
        settings: The front end.
        cache: Directory of derived files (see `datasets.cache_root`).
        processes: How many to compute with; see `processes_for`.
        progress: Whether to show a progress bar while computing.
        version: Of the recordings.

    Returns:
        `(clips, segments, frames, bins, channels)` in `settings.storage`; embeddings `(clips, 1,
        frames, values)`.

    Raises:
        KerasnasError: Naming the first file found that cannot be used, when noise or rooms are
            clips of the data set, or when the cache cannot be written.
    """
    key = _key(clips, settings)
    check_sources(clips, version)
    key |= version.key()
    shape = (len(clips), settings.segments, *settings.input_shape)
    about = {"clips": len(clips), "root": str(clips.root)}

    if isinstance(settings, TfioLogMel):
        processes = 1  # its graph takes batches of clips, on all cores

    def fill(path: Path) -> None:
        compute(clips, settings, version, path, processes, progress)

    return kept("features", clips.name, key, shape, settings.storage, fill, cache, about)


def kept(
    kind: str,
    name: str,
    key: dict[str, Any],
    shape: tuple[int, ...],
    storage: str,
    fill: Callable[[Path], None],
    cache: Path | str | None = None,
    about: dict[str, Any] | None = None,
) -> np.memmap[Any, np.dtype[Any]]:
    """Return an array of the cache, read-only, made by whoever needs it first.

    Args:
        kind: Name of the directory in the cache, and of the array's file in an entry.
        name: What an entry's name begins with, for people.
        key: All that shapes the array, as JSON data.
        shape: Of the array.
        storage: Its type, such as `float16`.
        fill: Writes all of the array, which is an `.npy` file that has its size.
        cache: Directory of derived files (see `datasets.cache_root`).
        about: What else `about.json` holds.

    Raises:
        KerasnasError: The cache cannot be written, or what it holds is damaged.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
    letters = "".join(letter if letter.isalnum() else "_" for letter in name)
    entry = cache_root(cache) / kind / f"{letters}-{digest}"
    if not entry.is_dir():
        with taking_turns(entry.parent.with_name("locks") / entry.name):
            if not entry.is_dir():
                with filled_beside(entry) as partial:
                    array = partial / f"{kind}.npy"
                    _allocate(array, shape, storage)
                    fill(array)
                    described = {"crc32c": _checksum(array), **(about or {}), **key}
                    described.pop("files", None)
                    text = json.dumps(described, indent=1) + "\n"
                    write_atomically(partial / "about.json", text, durable=False)
    return _opened(entry, kind, shape, storage)


def _opened(
    entry: Path, kind: str, shape: tuple[int, ...], storage: str
) -> np.memmap[Any, np.dtype[Any]]:
    """Return the array of an entry that is there, once it is the one that was written."""
    array, fault = entry / f"{kind}.npy", "it is another array"
    try:
        found: np.memmap[Any, np.dtype[Any]] = np.load(array, mmap_mode="r")
        if found.shape == shape and found.dtype == storage:
            known = json.loads((entry / "about.json").read_bytes())["crc32c"]
            if known == _checksum(array):
                return found
            fault = "its checksum is another one"
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        fault = getattr(error, "strerror", None) or str(error)
    raise DamagedError(
        f"{entry / kind}.npy in the cache is not what was written there ({fault})",
        f"delete {entry} and run the command again",
    )


def _checksum(path: Path) -> str:
    """Return the CRC-32C of a file's content, in hexadecimal digits."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = google_crc32c.extend(checksum, block)
    return f"{checksum:08x}"


def processes_for(clips: int, cores: int) -> int:
    """How many processes make features of so many clips fastest on so many cores."""
    return max(1, min(cores, clips // CLIPS_WORTH_A_PROCESS))


def _key(clips: Clips, settings: FrontEnd) -> dict[str, Any]:
    if isinstance(settings, StoredEmbedding):
        return {"version": VERSION, "settings": settings.model_dump(), **stored.key(clips)}
    files = []
    for clip in clips:
        try:
            status = clip.path.stat()
        except OSError as error:
            raise KerasnasError(f"{clip.path}: {error.strerror}") from None
        files.append([str(clip.path.absolute()), status.st_size, status.st_mtime_ns])
    model = {"model": digest(settings)} if isinstance(settings, Embedding) else {}
    libraries = (*LIBRARIES, *(["ai-edge-litert"] if model else []))
    if (setting := tfio.needed_by(settings)) is not None:
        tfio.check_installed(setting)
        libraries = (*libraries, "tensorflow", "tensorflow-io")
    return {
        "version": VERSION,
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
        "settings": settings.model_dump(mode="json"),
        "files": files,
        **model,
    }


def _allocate(path: Path, shape: tuple[int, ...], storage: str) -> None:
    """Make the array's file and reserve its space: a full disk shows now, as an OSError.

    A process that writes to a mapped page for which there is no room is killed instead.
    """
    open_memmap(path, "w+", storage, shape).flush()
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def compute(
    clips: Clips, settings: FrontEnd, version: Version, array: Path, processes: int, progress: bool
) -> None:
    """Write the features of all clips to the file of an array that is there."""
    with Progress(console=Console(stderr=True), transient=True, disable=not progress) as bar:
        task = bar.add_task("features", total=len(clips))
        if isinstance(settings, StoredEmbedding):
            stored.fill(clips, settings, array, lambda count: bar.advance(task, count))
            return
        paths = [clip.path for clip in clips]
        if processes > 1:
            run_workers(paths, settings, version, array, processes, lambda: bar.advance(task))
            return
        features = np.load(array, mmap_mode="r+")
        if isinstance(settings, TfioLogMel):
            for start in range(0, len(paths), _BATCH):
                rows = range(start, min(start + _BATCH, len(paths)))
                features[rows.start : rows.stop] = _together(paths, settings, version, rows)
                bar.advance(task, len(rows))
        else:
            with threadpool_limits(1, user_api="blas"):  # as in workers, to the last bit
                for row, path in enumerate(paths):
                    features[row] = version_features(path, settings, version, row)
                    bar.advance(task)
        features.flush()


def _together(
    paths: Sequence[Path], settings: TfioLogMel, version: Version, rows: range
) -> NDArray[np.float32]:
    """Return features of some clips, computed as one batch: each channel is a row of it."""
    waveforms = [
        fit_length(version_waveform(paths[row], settings, version, row), settings) for row in rows
    ]
    found = tfio.of_waveforms([channel for each in waveforms for channel in each.T], settings)
    segments = [cut_segments(each[..., None], settings) for each in found]
    shape = (len(rows), settings.segments, *settings.input_shape)
    return np.stack(segments).reshape(shape)
