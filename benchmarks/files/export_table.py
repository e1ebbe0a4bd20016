"""What `kerasnas.export` makes of every named network and of random members of every space.

    python benchmarks/files/export_table.py --results FILE [--count 30] [--seed SEED]
        [--only NAME ...]

Named networks have the input of their papers (NASC-net's a fifth of its 501 frames), random ones
the small input of `size_prediction`, NASC-net's space reduced. Weights are random; eight clips of
noise are scored and four others set the ranges, so that agreement says whether the file computes
the same, not how good it is. Each network is a line of FILE when it is done, and is not exported
again: run the same command, with the seed, to go on. The table is printed at the end. Exit code 1:
an export was refused, an integer file computes in float, or bytes were predicted over 2 % off.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
from random_weights import randomize
from size_prediction import SPACES, sample

from kerasnas.blocks.architecture import Architecture
from kerasnas.export import ExportError, ExportSettings, export
from kerasnas.models.li import LiSpace
from kerasnas.models.liu_zhang import LiuZhangSpace
from kerasnas.models.nasc import NascSpace
from kerasnas.models.space import SearchSpace
from kerasnas.models.wu_lee import WuLeeSpace

PAPERS: dict[str, SearchSpace] = {
    "wu_lee": WuLeeSpace((128, 128, 2), 3),
    "liu_zhang": LiuZhangSpace((125, 128, 1), 7, output="sigmoid"),
    "nasc": NascSpace((101, 40, 1), 10),
    "li": LiSpace((10, 128), 527, output="sigmoid"),
}
SETTINGS = ExportSettings(repeat=False, on_fail="report", latency_runs=10)
CLIPS, CALIBRATION = 8, 4
TARGET = 0.02
HEAD = (
    "| network | parameters | int8 form | int8 bytes | stock | predicted | float operators "
    "| agreement, largest difference | int8 ms | float16 bytes | predicted | agreement, largest "
    "difference | float16 ms |\n" + "|---" * 13 + "|"
)


def networks(count: int, seed: int) -> Iterator[tuple[str, Architecture]]:
    """Named networks, then the first random member of every space, the second, ..."""
    for name, space in PAPERS.items():
        for reference in space.reference_names:
            yield f"{name} {reference}", space.reference(reference)
    for member in range(1, count + 1):
        for number, (name, space) in enumerate(SPACES.items()):
            values = sample(space, np.random.default_rng((seed, number, member)))
            yield f"{name} random {member} of {seed}", space.architecture(values)


def exported(name: str, architecture: Architecture, seed: int) -> dict[str, Any]:
    """Both files' facts, or why there are none."""
    import keras

    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = architecture.build()
    randomize(model, rng)
    shape, classes = model.input_shape[1:], model.output_shape[-1]
    labels = np.eye(classes, dtype=np.float32)[rng.integers(classes, size=CLIPS)]
    task = "single_label" if "softmax" in architecture.ops[-1].name else "multi_label"
    clips = rng.normal(size=(CLIPS + CALIBRATION, *shape)).astype(np.float32)
    start = time.perf_counter()
    row: dict[str, Any] = {"network": name, "parameters": model.count_params()}
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = export(
                model,
                directory,
                calibration=clips[CLIPS:],
                test_x=clips[:CLIPS],
                test_y=labels,
                classes=[str(number) for number in range(classes)],
                task=task,
                settings=SETTINGS,
            ).report
        row["files"] = report["files"]
    except Exception as error:  # the table is to name every network, whatever became of it
        row["error"] = f"{type(error).__name__}: {error}"
        if not isinstance(error, ExportError):
            row["error"] += " (no error of the export)"
    return row | {"seconds": round(time.perf_counter() - start, 1)}


def grouped(number: int) -> str:
    """Return a number with spaces between its thousands."""
    return f"{number:,}".replace(",", " ")


def cells(file: dict[str, Any]) -> dict[str, str]:
    """One file's facts as text."""
    error = file["prediction_error"]
    difference = file["largest_difference"]
    floats = file["float_operators"]
    return {
        "form": " ".join(filter(None, (file["form"], file["recurrent"]))),
        "bytes": grouped(file["bytes"]),
        "stock": "–" if file["stock_bytes"] is None else grouped(file["stock_bytes"]),
        "predicted": "–" if error is None else f"{100 * error:+.2f} %",
        "floats": ", ".join(f"{count} {kind}" for kind, count in floats.items()) or "none",
        "agreement": f"{file['agreement']:.1%}, "
        + ("not finite" if difference is None else f"{difference:.1e}"),
        "ms": f"{file['latency_ms']['median']:.2f}",
    }


def line(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    if "error" in row:
        return f"| {row['network']} | {grouped(row['parameters'])} | **{row['error']}** |"
    int8, float16 = (cells(row["files"][name]) for name in ("int8", "float16"))
    of_int8 = [int8[k] for k in ("form", "bytes", "stock", "predicted", "floats", "agreement")]
    of_float16 = [float16[key] for key in ("bytes", "predicted", "agreement", "ms")]
    entries = [row["network"], grouped(row["parameters"]), *of_int8, int8["ms"], *of_float16]
    return f"| {' | '.join(entries)} |"


def errors(row: dict[str, Any]) -> dict[str, float]:
    """Relative errors of the predicted bytes, by format, where a form's bytes can be predicted."""
    found = {name: file["prediction_error"] for name, file in row.get("files", {}).items()}
    return {name: abs(error) for name, error in found.items() if error is not None}


def largest_errors(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for the random members of each space."""
    found: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        space, separator, _ = row["network"].partition(" random ")
        if separator:
            found.setdefault(space, []).append(errors(row))
    for space, members in found.items():
        largest = {n: max(m.get(n, 0.0) for m in members) for n in ("int8", "float16")}
        said = ", ".join(f"{name} {error:.2%}" for name, error in largest.items())
        yield f"{space}: predicted bytes of {len(members)} random networks at most {said} off"


def failed(row: dict[str, Any]) -> bool:
    """Whether there are no files, the integer one computes in float, or a prediction is off."""
    if "error" in row or row["files"]["int8"]["float_operators"]:
        return True
    return max(errors(row).values(), default=0.0) > TARGET


def main() -> None:
    """Export what is not in the results, and print the table of all that is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="JSON lines, read and added to")
    parser.add_argument("--count", type=int, default=30, help="random members of a space")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--only", nargs="*", help="networks with one of these in their name")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    text = arguments.results.read_text(encoding="utf-8") if arguments.results.exists() else ""
    rows = {row["network"]: row for row in map(json.loads, text.splitlines())}
    for name, architecture in networks(arguments.count, arguments.seed):
        if name in rows or (arguments.only and not any(only in name for only in arguments.only)):
            continue
        rows[name] = exported(name, architecture, arguments.seed)
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[name]) + "\n")
        print(f"{rows[name]['seconds']:6.1f} s {line(rows[name])}", flush=True)
    print("\n".join([HEAD, *map(line, rows.values()), *largest_errors(rows.values())]))
    sys.exit(any(failed(row) for row in rows.values()))


if __name__ == "__main__":
    main()
