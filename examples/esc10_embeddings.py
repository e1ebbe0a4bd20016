"""Embeddings of ESC-10's recordings, written as shards in AudioSet's layout.

No pretrained network is asked for: an embedding is a fixed projection of a log-mel patch, so that
anybody gets the same bytes.

1. 16 kHz, mono, 5 s (shorter recordings are repeated); log-mel with 64 bands from 20 Hz, 25 ms
   windows (400 samples, transforms of 512), hop 10 ms, in dB below the clip's largest value, at
   most 80 dB down.
2. Ten patches of 0.96 s, 0.48 s apart, the last one filled up by repeating its last frame: 96 x 64
   values, moved to -1 .. 1.
3. The two-dimensional discrete cosine transform (type II, orthonormal) of a patch; of it the lowest
   8 orders along time times the lowest 16 along frequency: 128 values.
4. Each value c is compressed to sign(c) log(1 + |c|) / log(1 + sqrt(96 * 64)), which lies within
   -1 .. 1, and becomes the byte round(128 + 127 c).

Folds 1 to 4 become `bal_train`, fold 5 `eval`; a video is a source recording, its clips follow each
other in it.

    python examples/esc10_embeddings.py ESC10_DIRECTORY OUTPUT [--evaluation-fold 5]
    kerasnas search configs/esc10_li.yaml --data OUTPUT
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from kerasnas.datasets import Clip, Clips, data_settings, load
from kerasnas.datasets.audioset import shards
from kerasnas.datasets.audioset.audioset import CLASS_LABELS, write_class_labels
from kerasnas.datasets.audioset.sequence_example import Embedded
from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel, of_file

FRONT_END = LogMel(
    sample_rate=16_000,
    seconds=5,
    pad="repeat",
    n_fft=512,
    window_length=400,
    hop_length=160,
    mel_bins=64,
    fmin=20,
    ref="max",
    top_db=80,
)
PATCH, HOP, PATCHES = 96, 48, 10  # frames, and patches of a clip
ORDERS = (8, 16)  # along time and frequency


def embedding(log_mel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The bytes `(10, 128)` of a log-mel spectrogram `(frames, 64)` in dB, from -80 to 0."""
    missing = HOP * (PATCHES - 1) + PATCH - len(log_mel)
    frames = np.pad(log_mel, ((0, max(0, missing)), (0, 0)), mode="edge") / 40 + 1
    patches = np.stack([frames[HOP * n : HOP * n + PATCH] for n in range(PATCHES)])
    cosines = dctn(patches, axes=(1, 2), norm="ortho")[:, : ORDERS[0], : ORDERS[1]]
    largest = np.log1p(np.sqrt(PATCH * FRONT_END.mel_bins))
    values = np.sign(cosines) * np.log1p(np.abs(cosines)) / largest
    codes: NDArray[np.uint8] = np.rint(128 + 127 * values.reshape(PATCHES, -1)).astype(np.uint8)
    return codes


def embedded(clips: Clips) -> Iterator[Embedded]:
    """The clips with their embeddings, those of one source following each other."""
    taken: dict[str, int] = {}
    for clip in clips:
        source = clip.group or clip.id
        place = taken.setdefault(source, 0)
        taken[source] += 1
        label = clips.classes.index(clip.labels[0])
        log_mel = of_file(clip.path, FRONT_END)[0, :, :, 0]
        yield Embedded(source, FRONT_END.seconds * place, (label,), embedding(log_mel))


def write(root: Path, output: Path, evaluation_fold: str) -> None:
    """Write the list of classes and both parts."""
    esc10 = load(data_settings(dataset="esc50", esc10=True), root)
    if evaluation_fold not in esc10.folds:
        raise KerasnasError(
            f"there is no fold {evaluation_fold} in {root}: {', '.join(esc10.folds)}"
        )
    write_class_labels(output / CLASS_LABELS, [(f"esc10/{name}", name) for name in esc10.classes])

    def part(evaluation: bool) -> Clips:
        def mine(clip: Clip) -> bool:
            return (clip.fold == evaluation_fold) == evaluation

        return esc10.subset(index for index, clip in enumerate(esc10) if mine(clip))

    for name, evaluation in (("bal_train", False), ("eval", True)):
        paths = shards.write(output / name, embedded(part(evaluation)), clips_a_shard=64)
        print(f"{output / name}: {len(part(evaluation))} clips in {len(paths)} shards")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("esc10", type=Path, help="directory in ESC-50's layout")
    parser.add_argument("output", type=Path)
    parser.add_argument("--evaluation-fold", default="5")
    arguments = parser.parse_args()
    write(arguments.esc10, arguments.output, arguments.evaluation_fold)


if __name__ == "__main__":
    main()
