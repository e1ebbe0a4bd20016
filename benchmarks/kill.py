"""`kill -9` of a whole search at random moments, resumed each time: is the table the same?

    python benchmarks/kill.py [--kills 30] [--trials 120] [--workers 1 2] [--seed N]

The reference is an undisturbed search with one worker. A killed search is started again on the
same directory until it ends. Compared are id, values, metrics and all other information of every
trial but times; and the journal must hold one `finish` for each trial. The trials are pure Python
and deterministic, some fail for good, some are tried twice. The seed of the moments is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from kerasnas.tuners import Gene, Search, Trial
from kerasnas.tuners.core.storage.journal import JOURNAL
from kerasnas.tuners.loop import run
from kerasnas.tuners.runners.base import Evaluate, Job, TrialContext
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings


def make() -> Evaluate:
    """Return a deterministic trial of about 0.1 s in five steps."""

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        x, y = values["x"], values["y"]
        for step in range(1, 6):
            time.sleep(0.02)
            trial.report(step, loss=(x - 7) ** 2 / step)
        if (x + y) % 9 == 0:
            raise ValueError(f"x = {x} and y = {y} do not go together")
        return {"metrics": {"loss": (x - 7) ** 2 + y}, "bytes": 100 * x + y}

    return evaluate


def search(directory: Path, trials: int, workers: int) -> None:
    """Run the search in `directory`, or what is left of it."""

    def job(trial: Trial) -> Job:
        folder = directory / "trials" / trial.id
        return Job(trial.id, "kill:make", {}, dict(trial.values), folder, time_limit=60)

    with (
        _open(directory, trials) as engine,
        LocalRunner(LocalSettings(workers=workers, trials_per_worker=10)) as runner,
    ):
        run(engine, runner, job)


def main() -> None:
    """Kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        search(arguments.serve, arguments.trials, arguments.workers[0])
        return
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.monotonic()
        reference = Path(scratch, "undisturbed")
        _session(reference, arguments.trials, 1).wait()
        working = _events(reference)[-1]["elapsed"]
        start_up = time.monotonic() - begun - working
        expected = _table(reference, arguments.trials)
        print(f"undisturbed, 1 worker: {len(expected)} trials in {working:.1f} s")
        for workers in arguments.workers:
            directory = Path(scratch, str(workers))
            longest = start_up + 2 * working / workers / arguments.kills
            kills = _disturb(directory, workers, arguments, longest)
            found = _table(directory, arguments.trials)
            finished = Counter(
                event["id"] for event in _events(directory) if event["event"] == "finish"
            )
            same = sum(one == other for one, other in zip(found, expected, strict=False))
            runs = sum(event["event"] == "start" for event in _events(directory))
            print(
                f"{workers} worker(s): {kills} kills; {same} of {len(expected)} rows identical, "
                f"{len(found)} trials; {runs} runs started; "
                f"finished twice: {sum(count > 1 for count in finished.values())}; "
                f"workers left alive: {_left(directory)}"
            )
            if found != expected or kills < arguments.kills:
                sys.exit("the disturbed search differs, or ended before it was killed so often")


def _disturb(directory: Path, workers: int, arguments: argparse.Namespace, longest: float) -> int:
    """Kill sessions after at most `longest` seconds, then let it end; how often it was killed."""
    moments = random.Random(arguments.seed + workers)
    for kill in range(arguments.kills):
        process = _session(directory, arguments.trials, workers)
        try:
            process.wait(moments.uniform(0, longest))
            return kill
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    if _session(directory, arguments.trials, workers).wait():
        sys.exit("the last session failed")
    return int(arguments.kills)


def _session(directory: Path, trials: int, workers: int) -> subprocess.Popen[bytes]:
    options = ["--trials", str(trials), "--workers", str(workers)]
    return subprocess.Popen([sys.executable, __file__, "--serve", str(directory), *options])


def _open(directory: Path, trials: int) -> Search:
    genes = [_choice("x", range(64)), _choice("y", range(64))]
    return Search(
        genes,
        [("loss", "min")],
        max_trials=trials,
        directory=directory,
        max_retries=1,
        max_consecutive_failures=None,
    )


def _choice(name: str, values: range) -> Gene:
    fields = {"name": name, "values": list(values), "conditions": []}
    return Gene.from_config({"class_name": "Choice", "config": fields})


def _table(directory: Path, trials: int) -> list[tuple[Any, ...]]:
    """All of each trial but times."""
    with _open(directory, trials) as engine:
        return [
            (
                trial.id,
                dict(trial.values),
                trial.status,
                trial.attempt,
                dict(trial.metrics),
                {name: value for name, value in trial.info.items() if name != "seconds"},
                trial.message,
                trial.traceback,
            )
            for trial in engine.trials
        ]


def _events(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / JOURNAL).read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def _left(directory: Path) -> int:
    """Worker processes that have outlived their search."""
    time.sleep(1.0)  # the last ones have just been told to go
    count = 0
    for process in psutil.process_iter(["cmdline", "open_files", "status"]):
        command, files = process.info["cmdline"] or [], process.info["open_files"] or []
        if "kerasnas.tuners.runners.worker" in command:
            count += any(file.path.startswith(str(directory)) for file in files)
    return count


if __name__ == "__main__":
    main()
