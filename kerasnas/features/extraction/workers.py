"""Worker processes that compute features straight into a shared array on disk.

Workers are started as `python -m kerasnas.features.extraction.worker`, not through
multiprocessing: that would import the user's script again in each of them (and with it TensorFlow),
or fork a process that runs TensorFlow's threads. A worker reads its task as one line of JSON and
answers one line per clip: empty, or JSON with what went wrong.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from kerasnas.errors import KerasnasError, counted
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.features.versions import Version

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_TENSORFLOW = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Where silent ends are cut, each worker would take a GPU's memory, and a line of greeting."""


def run_workers(
    paths: Sequence[Path],
    settings: RecordingFrontEnd,
    version: Version,
    array: Path,
    processes: int,
    on_clip: Callable[[], None],
) -> None:
    """Compute the features of `paths` into the rows of `array` with several processes.

    Args:
        paths: Row n of the array belongs to `paths[n]`.
        settings: The front end.
        version: Of the recordings.
        array: A `.npy` file of the final shape, which the workers fill.
        processes: Number of workers; each takes every `processes`-th clip.
        on_clip: Called after every clip that is done.

    Raises:
        KerasnasError: As soon as one clip fails (its file is named) or one worker dies.
    """
    answers: SimpleQueue[tuple[int, str]] = SimpleQueue()
    processes = min(processes, len(paths))
    workers = [start_worker() for _ in range(processes)]
    try:
        for number, worker in enumerate(workers):
            rows = range(number, len(paths), processes)
            task = {
                "array": str(array.absolute()),
                "settings": settings.model_dump(mode="json"),
                "version": version.model_dump(mode="json"),
                "clips": [(row, str(paths[row].absolute())) for row in rows],
            }
            Thread(target=_listen, args=(number, worker, task, answers), daemon=True).start()
        missing = len(paths)
        running = processes
        while running:
            number, line = answers.get()
            if line == "":
                running -= 1
                if (code := workers[number].wait()) != 0:
                    raise KerasnasError(_death(code))
            elif line == "\n":
                missing -= 1
                on_clip()
            else:
                raise KerasnasError(json.loads(line)["error"])
        if missing:
            raise KerasnasError(f"{counted(missing, 'clip')} not computed; run the command again")
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def start_worker() -> "subprocess.Popen[str]":
    """Start a process that answers requests for features, line by line."""
    package_home = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [package_home, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), **_TENSORFLOW, "PYTHONPATH": path}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kerasnas.features.extraction.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _listen(
    number: int,
    worker: "subprocess.Popen[str]",
    task: dict[str, Any],
    answers: "SimpleQueue[tuple[int, str]]",
) -> None:
    """Hand `worker` its task and pass its answers on; an empty answer is the end."""
    assert worker.stdin is not None and worker.stdout is not None
    try:
        with worker.stdin, worker.stdout:
            worker.stdin.write(json.dumps(task) + "\n")
            worker.stdin.flush()
            for line in worker.stdout:
                answers.put((number, line))
    except (BrokenPipeError, ValueError):
        pass  # the worker died; its exit code says how
    answers.put((number, ""))


def _death(code: int) -> str:
    if code < 0:
        return (
            f"a feature worker was killed by {signal.Signals(-code).name}; "
            "use fewer processes when memory ran out"
        )
    return f"a feature worker ended with exit code {code}; its message stands above"
