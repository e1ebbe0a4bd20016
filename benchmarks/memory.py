"""Memory and disk of a search of 200 trials.

    python benchmarks/memory.py [--trials 200] [--workers 2] [--epochs 1] [--clips 100]

Watches a `kerasnas search` of small networks that keeps no models: resident memory of the
searching process after each trial; the most that any of its workers held, by the measure after
which workers are replaced (mapped files do not count); and the bytes on disk in each trial's
directory together with the trial's share of the journal and of the table.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

import psutil
from sessions import Session

from kerasnas.runs.layout import RunPaths
from kerasnas.tuners.runners.child import held_memory
from kerasnas.tuners.runners.local import WorkerSettings

FIRST = 10
"""Growth of the searching process counts from this trial on."""


def main() -> None:
    """Watch, then print the curve, the growth and the disk space."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--clips", type=int, default=100)
    arguments = parser.parse_args()
    window = {"maximum": 100_000}
    settings = {
        "data": {"dataset": "synthetic", "clips": arguments.clips},
        "model": {"blocks": [1, 2], "stem_filters": [4, 48], "stem_strides": [2, 2]},
        "search": {"trials": arguments.trials, "window": window, "keep_models": 0},
        "training": {"candidate": {"epochs": arguments.epochs, "batch_size": 64}},
    }
    begun, parents, workers = time.monotonic(), {0: 0.0}, {0: 0.0}
    with Session(settings, "--workers", str(arguments.workers)) as session:
        parent = psutil.Process(session.process.pid)
        with contextlib.suppress(KeyboardInterrupt):  # then what there is by now is printed
            while (done := len(session.events("finish"))) < arguments.trials:
                if not session.alive():
                    raise SystemExit(f"the search ended after {done} trials")
                parents[done] = parent.memory_info().rss / 1e6
                children = [held_memory(child.pid) / 1e6 for child in parent.children()]
                workers[done] = max([workers.get(done, 0.0), *children])
                time.sleep(0.2)
        parents[done] = parent.memory_info().rss / 1e6
        paths = RunPaths(session.run)
        disk = [_bytes(each) for each in sorted(paths.trials.iterdir())]
        shared = _bytes(paths.journal) + _bytes(paths.table)
    print(f"{done} trials, {arguments.workers} workers, {time.monotonic() - begun:.0f} s")
    print("trial   search, MB   greatest worker since the last line, MB")
    marks = sorted({FIRST, *range(0, done + 1, max(1, done // 10)), done})
    for before, mark in zip([-1, *marks], marks, strict=False):
        near = max(trial for trial in parents if trial <= mark)
        most = max([size for trial, size in workers.items() if before < trial <= mark], default=0)
        print(f"{mark:5}   {parents[near]:10.1f}   {most:10.1f}")
    start = parents[min(trial for trial in parents if trial >= FIRST)]
    print(f"the search grew by {parents[done] - start:+.1f} MB from trial {FIRST} to {done}")
    limit = WorkerSettings().recycle_above / 1e6
    print(f"greatest worker: {max(workers.values()):.0f} MB; replaced above {limit:.0f} MB")
    mean = (sum(disk) + shared) / done / 1000
    print(f"disk per trial: {mean:.1f} kB with its part of journal and table")
    print(f"greatest directory of a trial: {max(disk) / 1000:.1f} kB")


def _bytes(path: Path) -> int:
    """Of a file, or of all files in a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
