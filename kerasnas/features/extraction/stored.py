"""Features of data sets that hold embeddings as bytes: read from their shards, block by block.

The three ways to make numbers of bytes: Li's report divides by 255; YouTube-8M's reader maps them
to -2 to 2, each to the middle of its step (github.com/google/youtube-8m, `utils.Dequantize`);
others centre them on 128.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.datasets import Clips
from kerasnas.datasets.audioset.indexed import IndexedClips
from kerasnas.datasets.audioset.shards import Stored, stream
from kerasnas.errors import KerasnasError
from kerasnas.features.embedding_settings import StoredEmbedding

_BLOCK = 256  # clips
_BYTES = np.arange(256, dtype=np.float64)
_NUMBERS = {
    "unit": _BYTES / 255,
    "youtube8m": _BYTES * 4 / 255 + 4 / 512 - 2,
    "symmetric": (_BYTES - 128) / 128,
}


def dequantized(codes: NDArray[np.uint8], settings: StoredEmbedding) -> NDArray[np.float32]:
    """Bytes of any shape as numbers."""
    return _NUMBERS[settings.dequantize].astype(np.float32).take(codes)


def blocks(
    shards: Sequence[Path], settings: StoredEmbedding, skip_corrupt: bool = False
) -> Iterator[tuple[NDArray[np.float32], list[Stored]]]:
    """Features of the clips of some shards, some at a time, with what was read.

    Yields:
        float32 `(n, frames, values)`, and the n clips.

    Raises:
        KerasnasError: Naming file and record, when one is damaged or has another number of values.
    """
    found = stream(shards, skip_corrupt)
    while block := list(islice(found, _BLOCK)):
        codes = np.zeros((len(block), settings.frames, settings.values), np.uint8)
        for row, stored in enumerate(block):
            embedding = stored.clip.embedding[: settings.frames]
            if embedding.shape[1] != settings.values:
                raise KerasnasError(
                    f"{shards[stored.shard]}: record {stored.record} has embeddings of "
                    f"{embedding.shape[1]} values; features: values says {settings.values}"
                )
            codes[row, : len(embedding)] = embedding
        x = dequantized(codes, settings)
        for row, stored in enumerate(block):
            x[row, len(stored.clip.embedding) :] = 0
        yield x, block


def fill(
    clips: Clips, settings: StoredEmbedding, array: Path, on_clips: Callable[[int], None]
) -> None:
    """Write the features of all clips into a `.npy` file of their shape.

    Args:
        clips: Of the data set audioset.
        settings: How bytes become numbers.
        array: The file; it is written to, not mapped, so that it takes no memory.
        on_clips: Called with the number of clips that were written.
    """
    table = indexed(clips)
    mapped = np.load(array, mmap_mode="r")
    written = 0
    with array.open("r+b") as file:
        file.seek(mapped.offset)
        for x, _ in blocks(table.clips.shards, settings, table.skip_corrupt):
            file.write(x.astype(mapped.dtype).tobytes())
            written += len(x)
            on_clips(len(x))
    if written != len(clips):
        raise KerasnasError(
            f"{clips.root}: {written} clips were read where {len(clips)} were found before; the "
            "shards have changed meanwhile: run the command again"
        )


def key(clips: Clips) -> dict[str, Any]:
    """Return what features depend on besides settings: the table, and the files behind it."""
    table = indexed(clips)
    states = [(path, path.stat()) for path in table.clips.shards]
    return {
        "clips": clips.digest(),
        "files": [[str(path.absolute()), s.st_size, s.st_mtime_ns] for path, s in states],
    }


def indexed(clips: Clips) -> IndexedClips:
    """Return the clips, once they are known to have stored embeddings.

    Raises:
        KerasnasError: They are recordings.
    """
    if not isinstance(clips, IndexedClips):
        raise KerasnasError(
            f"{clips.name} has recordings, and features: kind: stored_embedding needs the "
            "embeddings of data: dataset: audioset"
        )
    return clips
