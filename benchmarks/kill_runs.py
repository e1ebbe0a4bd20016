"""`kill -9` of `kerasnas search` at random moments, in all its stages: are its files the same?

    python benchmarks/kill_runs.py [--kills 200] [--a-run 10] [--workers 1] [--seed N]

The experiment is the quickstart, reduced: every stage, few clips and short trainings. The reference
is an undisturbed run. Then runs are begun anew, each killed so many times, started again after each
kill until it ends, and held against the reference: all trials, the configuration and the bytes of
the weights of every model, every exported file and every record, but for times and dates. The seed
of the moments is printed; so is the stage in which each kill fell.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from kerasnas.runs.layout import RunPaths
from kerasnas.tuners import Results

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"
PASSING = ("seconds", "started", "elapsed", "latency_ms", "shared_object_id", "digest")
"""Fields that tell of times, of Keras's addresses in memory, or digest these with the others."""


def reduced(directory: Path, workers: int) -> Path:
    """Write the reduced quickstart, and return its path."""
    settings = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))
    settings["data"] |= {"clips": 60}
    settings["model"] |= {"blocks": [2]}
    settings["search"] |= {"trials": 4, "workers": workers, "threads": 1}
    settings["training"]["candidate"]["epochs"] = 2
    settings["training"]["final"]["epochs"] = 3
    settings["export"]["on_fail"] = "report"
    path = directory / "experiment.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def session(experiment: Path, run: Path) -> subprocess.Popen[bytes]:
    """Start `kerasnas search`."""
    command = [sys.executable, "-m", "kerasnas", "search", str(experiment), "--run", str(run)]
    environment = {**os.environ, "KERASNAS_CACHE": str(experiment.parent / "cache")}
    with (experiment.parent / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def stage(run: Path) -> str:
    """Return how far a run has come, by the files that it has."""
    paths = RunPaths(run)
    reached = {
        "end": paths.report,
        "export": paths.export.path,
        "winners": paths.winners,
        "trials": paths.journal,
        "start": paths.experiment,
    }
    return next((name for name, path in reached.items() if path.exists()), "nothing")


def contents(run: Path) -> dict[str, Any]:
    """Return all that a run holds, without times and what names processes."""
    found: dict[str, Any] = {
        "trials": [
            (t.id, t.values, t.status, t.attempt, t.cost, t.metrics, _timeless(t.info), t.message)
            for t in Results.read(run).trials
        ]
    }
    paths = RunPaths(run)
    left_out = {paths.journal, paths.search, paths.report, paths.model_card, paths.table}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.is_relative_to(paths.tensorboard):
            continue
        if not path.is_file() or path in left_out or path.name.startswith(".") or ".txt" in name:
            continue
        if path.suffix == ".json":
            found[name] = _timeless(json.loads(path.read_bytes()))
            if path == paths.export.made_from:
                del found[name]["model"]  # a digest of the date in it, too
        elif path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:  # whose metadata.json is the date
                config = _timeless(json.loads(archive.read("config.json")))
                found[name] = config, archive.read("model.weights.h5")
        else:
            found[name] = path.read_bytes()
    return found


def _timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _timeless(item) for name, item in data.items() if name not in PASSING}
    return [_timeless(item) for item in data] if isinstance(data, list | tuple) else data


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return the names of what differs."""
    names = found.keys() | expected.keys()
    return sorted(name for name in names if found.get(name) != expected.get(name))


def main() -> None:
    """Kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--a-run", type=int, default=10, help="kills of a run, at most")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument(
        "--keep", type=Path, help="directory that is kept; default: a temporary one"
    )
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = arguments.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        _kill(directory, arguments)


def _kill(directory: Path, arguments: argparse.Namespace) -> None:
    experiment = reduced(directory, arguments.workers)
    begun = time.monotonic()
    if session(experiment, directory / "undisturbed").wait():
        sys.exit(f"the undisturbed run failed:\n{(directory / 'log').read_text()[-3000:]}")
    whole = time.monotonic() - begun
    expected = contents(directory / "undisturbed")
    begun = time.monotonic()
    session(experiment, directory / "undisturbed").wait()  # which has nothing left to do
    idle = time.monotonic() - begun
    print(f"undisturbed: {whole:.0f} s; run again: {idle:.0f} s", flush=True)
    if different := differences(contents(directory / "undisturbed"), expected):
        sys.exit(f"run again, it differs: {', '.join(different)}")
    moments, stages = random.Random(arguments.seed), Counter[str]()
    kills = runs = 0
    while kills < arguments.kills:
        run = directory / str(runs)
        here = 0
        while here < arguments.a_run and kills < arguments.kills:
            process = session(experiment, run)
            try:
                code = process.wait(moments.uniform(1, idle + 2 * (whole - idle) / arguments.a_run))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                stages[stage(run)] += 1
                kills, here = kills + 1, here + 1
                continue
            if code:
                sys.exit(f"a resumed run failed:\n{(directory / 'log').read_text()[-3000:]}")
            break
        if session(experiment, run).wait():
            sys.exit(f"the last session failed:\n{(directory / 'log').read_text()[-3000:]}")
        different = differences(contents(run), expected)
        runs += 1
        said = ", ".join(different) or "nothing"
        print(f"run {runs}: {here} kills, {kills} in all; differs: {said}", flush=True)
        if different:
            sys.exit(1)
    where = ", ".join(f"{name} {count}" for name, count in stages.items())
    print(f"{kills} kills in {runs} runs, in these stages: {where}; all runs are the same")


if __name__ == "__main__":
    main()
