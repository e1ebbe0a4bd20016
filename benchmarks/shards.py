"""Reading shards of embeddings: kerasnas against a plain tf.data pipeline, and the memory it takes.

    python benchmarks/shards.py [--clips 200000] [--rounds 3]

Shards of random embeddings in AudioSet's layout are generated first (1.5 kB a clip). Both sides do
the same work in a process of their own each: read the records and check their checksums, take the
messages apart, make numbers of the bytes, fill up to ten frames, make 527 zeros and ones of the
labels, and hand out batches of 256. They take turns; the time to import and to start is left out,
and the files are read once before. "plain" is `TFRecordDataset`, `map` with one clip a call,
`batch` and `prefetch`, with `tf.data.AUTOTUNE`. The last rows are kerasnas' whole way from shards
to a memory-mapped cache; peak memory is that of the process, its own and its libraries'.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, VALUES, CLASSES, BATCH = 10, 128, 527, 256
READERS = ("kerasnas", "tf.data, plain")
WHOLE = "kerasnas, to the cache"


def main() -> None:
    """Generate shards, measure in turns, print clips per second, ratios, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=[*READERS, WHOLE], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        _serve(arguments.serve, arguments.root)
        return
    with tempfile.TemporaryDirectory() as directory:
        whole, tenth = Path(directory) / "whole", Path(directory) / "tenth"
        _generate(whole, arguments.clips)
        _generate(tenth, arguments.clips // 10)
        rounds = [{name: _run(name, whole) for name in READERS} for _ in range(arguments.rounds)]
        print(f"{arguments.clips} clips, median of {arguments.rounds} rounds")
        for name in READERS:
            rate = statistics.median(arguments.clips / each[name][0] for each in rounds)
            ratio = statistics.median(each[READERS[1]][0] / each[name][0] for each in rounds)
            memory = max(each[name][1] for each in rounds)
            print(f"{name:24}{rate:10.0f} clips/s{ratio:7.2f}x{memory:8.0f} MB at most")
        for root, count in ((tenth, arguments.clips // 10), (whole, arguments.clips)):
            seconds, memory = _run(WHOLE, root)
            rate = count / seconds
            print(f"{WHOLE:24}{rate:10.0f} clips/s{memory:16.0f} MB at most, {count} clips")


def _generate(root: Path, clips: int) -> None:
    """Real shards have some 500 to 1000 clips; classes are drawn evenly."""
    from kerasnas.datasets.audioset import shards
    from kerasnas.datasets.audioset.audioset import CLASS_LABELS, write_class_labels
    from kerasnas.datasets.audioset.sequence_example import Embedded

    write_class_labels(root / CLASS_LABELS, [(f"{n}", f"class {n}") for n in range(CLASSES)])
    rng = np.random.default_rng(0)

    def clip(number: int) -> Embedded:
        codes = rng.integers(0, 256, (FRAMES if number % 20 else 7, VALUES), np.uint8)
        labels = {number % CLASSES, *rng.integers(0, CLASSES, 2).tolist()}
        return Embedded(f"video{number:09d}", 30.0, tuple(sorted(labels)), codes)

    test = clips // 10
    shards.write(root / "bal_train", map(clip, range(clips - test)))
    shards.write(root / "eval", map(clip, range(clips - test, clips)))


def _run(name: str, root: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MB, of one contestant in a process of its own."""
    command = [sys.executable, __file__, "--serve", name, "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, kilobytes = done.stdout.split()[-2:]
    return float(seconds), float(kilobytes) / 1000


def _serve(name: str, root: Path) -> None:
    files = sorted(root.glob("*/*.tfrecord"))
    for path in files:
        path.read_bytes()  # so that the disk does not count
    read = {READERS[0]: _kerasnas, READERS[1]: _plain, WHOLE: _to_the_cache}[name](root, files)
    start = time.perf_counter()
    read()
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _kerasnas(_: Path, files: list[Path]) -> Callable[[], Any]:
    from kerasnas.features import StoredEmbedding
    from kerasnas.features.extraction.stored import blocks

    def read() -> None:
        for x, clips in blocks(files, StoredEmbedding(dequantize="unit")):
            y = np.zeros((len(x), CLASSES), np.float32)
            for row, stored in enumerate(clips):
                y[row, stored.clip.labels] = 1

    return read


def _plain(_: Path, files: list[Path]) -> Callable[[], Any]:
    import tensorflow as tf

    def parse(message: Any) -> Any:
        context, lists = tf.io.parse_single_sequence_example(
            message,
            {
                "video_id": tf.io.FixedLenFeature([], tf.string),
                "labels": tf.io.VarLenFeature(tf.int64),
            },
            {"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)},
        )
        codes = tf.io.decode_raw(lists["audio_embedding"], tf.uint8)
        x = tf.cast(codes, tf.float32) / 255
        x = tf.ensure_shape(tf.pad(x, [[0, FRAMES - tf.shape(x)[0]], [0, 0]]), (FRAMES, VALUES))
        labels = tf.sparse.to_dense(context["labels"])
        return context["video_id"], x, tf.reduce_max(tf.one_hot(labels, CLASSES), axis=0)

    data = (
        tf.data.TFRecordDataset([str(path) for path in files])
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )

    def read() -> None:
        for _ in data:
            pass

    return read


def _to_the_cache(root: Path, _: list[Path]) -> Callable[[], Any]:
    from kerasnas.datasets import data_settings, load
    from kerasnas.features import StoredEmbedding, extract

    def read() -> None:
        with tempfile.TemporaryDirectory(dir=root) as cache:
            clips = load(data_settings(dataset="audioset", multi_label=True), root, cache)
            extract(clips, StoredEmbedding(), cache, progress=False)

    return read


if __name__ == "__main__":
    main()
