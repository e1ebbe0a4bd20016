"""Whether the named networks of the four papers run in TensorFlow Lite Micro.

    python benchmarks/files/papers_on_micro.py [--examples 1] [--only NAME ...]

Each network has its paper's input (NASC-net's a fifth of its frames) and random weights; it is
converted as `export()` converts it first, to integers alone, with ranges from four examples of
noise, and then runs on others in both runtimes. The table has its bytes, the arena that it needs,
predicted and measured, and by how many steps of its integers the scores differ; or what it lacks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
from export_table import PAPERS
from random_weights import randomize

from kerasnas.export import ExportError, ExportSettings, load
from kerasnas.export.convert.lowering import CALIBRATION, candidates, convert_candidate
from kerasnas.export.micro.file import examine_micro
from kerasnas.export.micro.sources import MicroInput
from kerasnas.export.network.arena import predict_arena

SEED, RANGES = 0, 4
SETTINGS = ExportSettings(target="tflm")
HEAD = "| network | form | bytes | arena | predicted | steps, mean and most |\n" + "|---" * 6 + "|"


def row(name: str, architecture: Any, examples: int) -> tuple[str, bool]:
    """Return a network's row, and whether it runs."""
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = architecture.build()
    randomize(model, rng)
    shape = (RANGES + examples, *model.input_shape[1:])
    x = rng.normal(size=shape).astype(np.float32)
    candidate = candidates(model, "int8", SETTINGS)[0]
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        model.save(files / "model.keras")
        np.save(files / CALIBRATION, x[examples:])
        path = files / "model_int8.tflite"
        try:
            convert_candidate(files / "model.keras", candidate, path, files, SETTINGS, name)
            scores = load(path).predict(x[:examples])
        except ExportError as error:
            return f"| {name} | {candidate} | **{error}** |", False
        given = (path, path.name, x[:examples], scores, MicroInput(), SETTINGS)
        found = examine_micro(*given)
        size = path.stat().st_size
    if found.entry is None:
        return f"| {name} | {candidate} | {size:,} | **{found.checks[0].message}** |", False
    arena, steps = found.entry["arena_bytes"], found.entry["steps"]
    predicted = predict_arena(architecture.ops) / arena - 1
    figures = f"{size:,} | {arena:,} | {predicted:+.1%} | {steps['mean']:.2g}, {steps['most']:.2g}"
    passed = found.entry["verdict"] != "failed"
    return f"| {name} | {candidate} | {figures}{'' if passed else ' **failed**'} |", passed


def main() -> None:
    """Print the table; exit code 1 where a network does not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=1, help="that are run in both runtimes")
    parser.add_argument("--only", nargs="*", help="networks with one of these in their name")
    given = parser.parse_args()
    print(HEAD)
    start, runs = time.monotonic(), []
    for title, space in PAPERS.items():
        for reference in space.reference_names:
            name = f"{title} {reference}"
            if given.only and not any(only in name for only in given.only):
                continue
            line, passed = row(name, space.reference(reference), given.examples)
            runs.append(passed)
            print(line, flush=True)
    print(f"{sum(runs)} of {len(runs)} run; {time.monotonic() - start:.0f} s")
    sys.exit(not all(runs))


if __name__ == "__main__":
    main()
