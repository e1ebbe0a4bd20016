"""How fast and in how much memory hours of stream are scored: `python benchmarks/stream_speed.py`.

    python benchmarks/stream_speed.py FILE.tflite [--hours 10] [--hop 0.25]

A recording of noise is written to a temporary directory at the file's sample rate, and scored as
`kerasnas predict` does it, on one thread: features of every window and LiteRT. The ratio of seconds
of sound to seconds of processor time says how many microphones one core could follow; processor
time hardly depends on what else the machine does. Memory is the process's largest resident size
after the first twentieth of the recording, and after all of it.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from kerasnas.flow.commands.streams.scoring import open_file

_BLOCK = 60  # seconds


def write_noise(path: Path, hours: float, rate: int) -> None:
    """Write noise whose level changes every minute."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for _ in range(round(hours * 3600 / _BLOCK)):
            noise = rng.standard_normal(_BLOCK * rate).astype(np.float32)
            file.write(noise * 10 ** rng.uniform(-3, -1))


def resident() -> float:
    """Return the largest resident size so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Score a short and a long recording, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a .tflite file of an export")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--hop", type=float, help="seconds between windows")
    given = parser.parse_args()
    predictor, hop = open_file(given.file, given.hop)
    rate = predictor.settings.sample_rate
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        sizes = {}
        for share in (0.05, 1.0):
            path = Path(scratch) / "noise.wav"
            write_noise(path, share * given.hours, rate)
            begun, started = time.process_time(), time.perf_counter()
            found = predictor.predict(path, hop)
            used, passed = time.process_time() - begun, time.perf_counter() - started
            sizes[share] = resident()
            seconds = share * given.hours * 3600
            print(
                f"{share * given.hours:g} h, {len(found.times)} windows of "
                f"{predictor.settings.seconds:g} s every {hop:g} s: {used:.0f} s of processor time "
                f"({passed:.0f} s passed), {seconds / used:.0f} times real time, largest resident "
                f"size {sizes[share]:.0f} MB"
            )
    print(f"growth over the rest of the recording: {sizes[1.0] - sizes[0.05]:.1f} MB")


if __name__ == "__main__":
    main()
