"""Clips per second of the feature cache, against one librosa call after another.

    python benchmarks/features.py [--data ESC10_DIRECTORY] [--clips 400] [--rounds 3]

Without --data, clips of 5 s at 44.1 kHz are generated. All runs compute the same log-mel features
of the same files, which are read once before, so that the disk does not count. The time the
workers take to start is in the figures; so is librosa's import, in every row, because a command
pays for it once. Rows are measured in turns and the best of several rounds counts; processor time
(of all processes of a row) is given beside, since it hardly depends on what else the machine does.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kerasnas.datasets import Clips, LayoutSettings, SyntheticSettings, data_settings, load
from kerasnas.features import LogMel, extract

SETTINGS = LogMel(sample_rate=22050, seconds=5.0, hop_length=512)

ONE_AFTER_ANOTHER = """
import json, sys
import librosa, numpy as np
for path in json.load(sys.stdin):
    wave, rate = librosa.load(path, sr=22050)
    wave = librosa.util.fix_length(wave, size=110250)
    mel = librosa.feature.melspectrogram(y=wave, sr=rate, n_fft=1024, hop_length=512, n_mels=64)
    librosa.power_to_db(mel)
"""

OURS = """
import json, sys
from kerasnas.datasets import data_settings, load
from kerasnas.features import LogMel, extract
data, settings, cache, processes = sys.argv[1:]
clips = load(data_settings(**json.loads(data)))
extract(clips, LogMel.model_validate_json(settings), cache, int(processes), progress=False)
"""


def clips_of(arguments: argparse.Namespace, cache: str) -> tuple[LayoutSettings, Clips]:
    """Return the data set to measure on, and its settings with an absolute root."""
    if arguments.data:
        settings = data_settings(dataset="esc50", root=arguments.data.absolute())
    else:
        root = Path(cache).absolute()
        settings = SyntheticSettings(
            root=root, clips=arguments.clips, seconds=5.0, sample_rate=44100
        )
    clips = load(settings)
    for clip in clips:
        clip.path.read_bytes()
    return settings, clips


def processor_seconds() -> float:
    """Processor time of all child processes so far, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds_of(command: list[str], text: str) -> tuple[float, float]:
    """Wall-clock and processor time of one child process."""
    before, begin = processor_seconds(), time.perf_counter()
    subprocess.run(command, input=text, text=True, check=True)
    return time.perf_counter() - begin, processor_seconds() - before


def main() -> None:
    """Print a table of clips per second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="ESC-50's layout")
    parser.add_argument("--clips", type=int, default=400, help="how many to generate otherwise")
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure each row")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as cache:
        settings, clips = clips_of(arguments, cache)
        paths = json.dumps([str(clip.path) for clip in clips])
        rows = {"librosa, one call after another": [sys.executable, "-c", ONE_AFTER_ANOTHER]}
        for count in (1, cores):
            name = f"kerasnas, {count} process{'es' if count > 1 else ''}"
            data = settings.model_dump_json(exclude_defaults=True)
            values = [data, SETTINGS.model_dump_json(), f"{cache}/{count}", str(count)]
            rows[name] = [sys.executable, "-c", OURS, *values]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for _ in range(arguments.rounds):
            for name, command in rows.items():
                times[name].append(seconds_of(command, paths))
                for count in (1, cores):
                    shutil.rmtree(f"{cache}/{count}", ignore_errors=True)
        extract(clips, SETTINGS, cache, progress=False)
        begin = time.perf_counter()
        extract(clips, SETTINGS, cache, progress=False).sum()
        cached = time.perf_counter() - begin
    print(f"{len(clips)} clips of {SETTINGS.seconds:g} s, {cores} cores")
    best = {name: tuple(map(min, zip(*runs, strict=True))) for name, runs in times.items()}
    reference = best["librosa, one call after another"]
    for name, (wall, processor) in best.items():
        print(
            f"{name:34s} {len(clips) / wall:9.1f} clips/s {reference[0] / wall:7.2f} x   "
            f"processor {processor:6.1f} s {reference[1] / processor:6.2f} x"
        )
    print(
        f"{'kerasnas, from the cache':34s} {len(clips) / cached:9.1f} clips/s "
        f"{reference[0] / cached:7.2f} x"
    )


if __name__ == "__main__":
    main()
