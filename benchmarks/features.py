"""Clips per second of the feature cache, against one librosa call after another.

    python benchmarks/features.py [--data ESC10_DIRECTORY] [--clips 400]

Without --data, clips of 5 s at 44.1 kHz are generated. All runs compute the same log-mel features
of the same files, which are read once before, so that the disk does not count. The time the
workers take to start is in the figures; so is librosa's import, in every row, because a command
pays for it once.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kerasnas.datasets import Clips, DataSettings, SyntheticSettings, load
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
import sys
from kerasnas.datasets import DataSettings, load
from kerasnas.features import LogMel, extract
data, settings, cache, processes = sys.argv[1:]
clips = load(DataSettings.model_validate_json(data))
extract(clips, LogMel.model_validate_json(settings), cache, int(processes), progress=False)
"""


def clips_of(arguments: argparse.Namespace, cache: str) -> tuple[DataSettings, Clips]:
    """The data set to measure on, and its settings with an absolute root."""
    if arguments.data:
        settings = DataSettings(dataset="esc50", root=arguments.data.absolute())
    else:
        synthetic = SyntheticSettings(clips=arguments.clips, seconds=5.0, sample_rate=44100)
        settings = DataSettings(root=Path(cache).absolute(), synthetic=synthetic)
    clips = load(settings)
    for clip in clips:
        clip.path.read_bytes()
    return settings, clips


def seconds_of(command: list[str], text: str = "") -> float:
    """Wall-clock time of one child process."""
    begin = time.perf_counter()
    subprocess.run(command, input=text, text=True, check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print a table of clips per second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="ESC-50's layout")
    parser.add_argument("--clips", type=int, default=400, help="how many to generate otherwise")
    with tempfile.TemporaryDirectory() as cache:
        settings, clips = clips_of(parser.parse_args(), cache)
        paths = "[" + ",".join(f'"{clip.path}"' for clip in clips) + "]"
        cores = len(os.sched_getaffinity(0))
        data, front_end = (
            settings.model_dump_json(exclude_defaults=True),
            SETTINGS.model_dump_json(),
        )
        rows = {"librosa, one call after another": [sys.executable, "-c", ONE_AFTER_ANOTHER]}
        for count in (1, cores):
            place = str(Path(cache) / f"cache-{count}")
            name = f"kerasnas, {count} process{'es' if count > 1 else ''}"
            rows[name] = [sys.executable, "-c", OURS, data, front_end, place, str(count)]
        times = dict.fromkeys(rows, float("inf"))
        for _ in range(3):  # in turns, the best counts: other work on the machine hits all alike
            for name, command in rows.items():
                for count in (1, cores):
                    shutil.rmtree(Path(cache) / f"cache-{count}", ignore_errors=True)
                times[name] = min(times[name], seconds_of(command, paths))
        begin = time.perf_counter()
        extract(clips, SETTINGS, Path(cache) / f"cache-{cores}", progress=False).sum()
        times["kerasnas, from the cache"] = time.perf_counter() - begin
    slowest = times["librosa, one call after another"]
    print(f"{len(clips)} clips of {SETTINGS.seconds:g} s, {cores} cores")
    for name, seconds in times.items():
        rate, ratio = len(clips) / seconds, slowest / seconds
        print(f"{name:34s} {rate:10.1f} clips/s {ratio:8.2f} x")


if __name__ == "__main__":
    main()
