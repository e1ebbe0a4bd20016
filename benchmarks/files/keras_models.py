"""What `kerasnas.export` makes of public Keras networks, beside two other converters.

    python benchmarks/files/keras_models.py --results DIRECTORY [--only NAME ...] [--minutes 6]
    python benchmarks/files/keras_models.py --results DIRECTORY --table

Weights are random (`model_zoo.py`); eight examples of noise are scored and eight others set the
ranges, so that agreement says whether a file computes the same, not how good the network is. Each
network has a process of its own, in which it is converted, too (and where that dies, conversions
have processes of their own, as `export()` has them), and then a file in DIRECTORY: run the command
again to resume. The table has the int8 file's form and bytes; those of TensorFlow's own converter
on the same network, or why it makes none; those of ai-edge-quantizer (`static_wi8_ai8`, where it is
installed) with its agreement; and whether the int8 file runs in TensorFlow Lite Micro, in how large
an arena (where tflite-micro is installed).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
from model_zoo import models
from size_prediction import randomize

EXAMPLES = 8
SEED = 0
HEAD = (
    "| network | parameters | int8 form | int8 bytes | stock int8 | ai-edge-quantizer "
    "| agreement, its | float16 bytes | stock float16 | predicted int8 | TFLM, arena |\n"
    + "|---" * 11
    + "|"
)


def measure(name: str) -> dict[str, Any]:
    """Return what became of one network."""
    import keras

    from kerasnas.export import CheckFailed, ExportError, ExportSettings, export

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = models()[name]()
    randomize(model, rng)
    shape = (2 * EXAMPLES, *model.input_shape[1:])
    embedded = any(isinstance(layer, keras.layers.Embedding) for layer in model.layers)
    drawn = rng.integers(200, size=shape) if embedded else rng.normal(size=shape)
    x = drawn.astype(np.float32)
    row: dict[str, Any] = {"parameters": model.count_params()}
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        try:
            report = export(
                model,
                files,
                calibration=x[EXAMPLES:],
                test_x=x[:EXAMPLES],
                task=_task(model, x[:EXAMPLES]),
                settings=ExportSettings(repeat=False, latency_runs=5),
            ).report
        except CheckFailed as failure:
            report = failure.result.report
        except ExportError as error:
            return row | {"refused": str(error)}
        row["files"] = report["files"]
        row["micro"] = _micro(files / "model_int8.tflite", x[:EXAMPLES])
        row["stock_int8"] = _stock(model, x[EXAMPLES:], report["files"]["int8"])
        row["peer"] = _peer(model, x)
    return row


def _conversions_here() -> AbstractContextManager[None]:
    """Let conversions run in this process: elsewhere each imports TensorFlow for seconds."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.processes import here

    return here()


def _task(model: Any, x: Any) -> Any:
    if model.output_shape[-1] == 1:
        return "binary"
    sums = np.asarray(model(x[:2], training=False)).sum(axis=-1)
    return "single_label" if np.allclose(sums, 1, atol=1e-3) else "multi_label"


def _micro(path: Path, x: Any) -> dict[str, Any] | None:
    """Return whether the integer file runs in TensorFlow Lite Micro, and how large its arena is."""
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    from kerasnas.export import ExportSettings, load
    from kerasnas.export.micro.file import examine_micro
    from kerasnas.export.micro.sources import MicroInput

    scores = load(path).predict(x)
    found = examine_micro(path, path.name, x, scores, MicroInput(), ExportSettings(target="tflm"))
    if found.entry is None:
        return {"runs": False, "why": found.checks[0].message.partition("Micro: ")[2]}
    return {"runs": True, "arena": found.entry["arena_bytes"], "steps": found.entry["steps"]}


def _stock(model: Any, x: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the bytes of the stock converter's integer file, made in a process that may die."""
    if entry["form"] == "full_int8" and entry["stock_bytes"] is not None:
        return {"bytes": entry["stock_bytes"]}
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        model.save(files / "model.keras")
        np.save(files / "x.npy", x)
        command = [sys.executable, __file__, "--stock", directory]
        done = subprocess.run(command, capture_output=True, timeout=900)
        if (files / "stock.tflite").exists():
            return {"bytes": (files / "stock.tflite").stat().st_size}
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["?"]
        return {"why": f"dies of signal {-done.returncode}" if done.returncode < 0 else lines[-1]}


def stock(directory: Path) -> None:
    """Convert the network in a directory by TensorFlow's own converter, in integers alone."""
    import keras

    from kerasnas.export.convert.stock import convert_stock

    model = keras.saving.load_model(directory / "model.keras", compile=False)
    x = np.load(directory / "x.npy")
    (directory / "stock.tflite").write_bytes(convert_stock(model, "full_int8", (x,)))


def _peer(model: Any, x: Any) -> dict[str, Any] | None:
    """Return bytes and agreement of ai-edge-quantizer's integer file."""
    if importlib.util.find_spec("ai_edge_quantizer") is None:
        return None
    try:
        return _quantized(model, x)
    except Exception as error:  # the table is to name every network, whatever became of it
        return {"why": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}


def _quantized(model: Any, x: Any) -> dict[str, Any]:
    import tensorflow as tf
    from ai_edge_quantizer import quantizer, recipe
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from kerasnas.export import load
    from kerasnas.export.convert.stock import inference

    frozen = convert_variables_to_constants_v2(inference(model))
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="features")]

    @tf.function(input_signature=signature, autograph=False)
    def infer(features: Any) -> Any:
        return {"scores": frozen(features)[0]}

    holder = tf.Module()
    holder.infer = infer
    with tempfile.TemporaryDirectory() as directory:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # as swish has
        tf.saved_model.save(holder, directory, {"serving_default": infer}, options)
        floats = bytes(tf.lite.TFLiteConverter.from_saved_model(directory).convert())
    with tempfile.TemporaryDirectory() as directory:
        source, made = Path(directory) / "float.tflite", Path(directory) / "int8.tflite"
        source.write_bytes(floats)
        peer = quantizer.Quantizer(str(source))
        peer.load_quantization_recipe(recipe.static_wi8_ai8())
        examples = [{"features": example[None]} for example in x[EXAMPLES:]]
        ranges = peer.calibrate({"serving_default": examples})
        made.write_bytes(bytes(peer.quantize(ranges).quantized_model))
        scores = load(made).predict(x[:EXAMPLES])
        size = made.stat().st_size
    expected = np.asarray(model(x[:EXAMPLES], training=False))
    same = np.mean(np.argmax(scores, axis=-1) == expected.argmax(axis=-1))
    return {"bytes": size, "agreement": float(same)}


def grouped(number: int | None) -> str:
    """Return a number with spaces between its thousands."""
    return "–" if number is None else f"{number:,}".replace(",", " ")


def line(name: str, row: dict[str, Any]) -> str:
    """Return a row of the table."""
    if "files" not in row:
        why = row.get("refused") or row["failed"]
        return f"| {name} | {grouped(row.get('parameters'))} | **{' '.join(why.split())[:160]}** |"
    int8, float16 = row["files"]["int8"], row["files"]["float16"]
    error, micro, peer = int8["prediction_error"], row["micro"], row["peer"] or {}
    runs = "–"
    if micro is not None:
        runs = grouped(micro["arena"]) if micro["runs"] else f"no: {micro['why'][:100]}"
    cells = [
        name,
        grouped(row["parameters"]),
        " ".join(filter(None, (int8["form"], int8["recurrent"]))),
        grouped(int8["bytes"]),
        grouped(row["stock_int8"].get("bytes")),
        grouped(peer.get("bytes")),
        ", ".join(
            "–" if share is None else f"{share:.0%}"
            for share in (int8["agreement"], peer.get("agreement"))
        ),
        grouped(float16["bytes"]),
        grouped(float16["stock_bytes"]),
        "–" if error is None else f"{error:+.1%}",
        runs,
    ]
    return f"| {' | '.join(cells)} |"


def run(name: str, path: Path, minutes: float) -> None:
    """Measure a network in a process of its own, and write what became of it."""
    start = time.monotonic()
    row: dict[str, Any] = {}
    for options in (["--together"], []):
        with tempfile.TemporaryDirectory() as directory:
            made = Path(directory) / "row.json"
            command = [sys.executable, __file__, "--one", name, "--output", str(made), *options]
            limit = partial(_limit_processor, minutes)
            done = subprocess.run(command, capture_output=True, preexec_fn=limit)
            if made.exists():
                row = json.loads(made.read_text(encoding="utf-8"))
                break
        if done.returncode == -signal.SIGXCPU:
            row = {"failed": f"more than {minutes:g} minutes of the processor"}
            break
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        row = {"failed": f"its process ended with {done.returncode}: {''.join(words)}"}
    row |= {"network": name, "seconds": round(time.monotonic() - start, 1)}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(row, indent=1), encoding="utf-8")
    part.replace(path)


def _limit_processor(minutes: float) -> None:
    seconds = round(60 * minutes)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def main() -> None:
    """Measure what is not in the results, and print the table of all that is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="directory, one file a network")
    parser.add_argument("--only", nargs="*", help="networks with one of these in their name")
    parser.add_argument(
        "--minutes", type=float, default=6.0, help="most of the processor for one network"
    )
    parser.add_argument("--table", action="store_true", help="print the table alone")
    for name in ("--one", "--output", "--stock"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--together", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stock:
        stock(Path(given.stock))
        return
    if given.one:
        with _conversions_here() if given.together else nullcontext():
            row = measure(given.one)
        Path(given.output).write_text(json.dumps(row), encoding="utf-8")
        return
    if given.results is None:
        parser.error("--results is needed")
    given.results.mkdir(parents=True, exist_ok=True)
    rows = {}
    for number, name in enumerate(models()):
        if given.only and not any(only in name for only in given.only):
            continue
        path = given.results / f"{number:03d}_{name.replace(' ', '_').replace('/', '_')}.json"
        if not path.exists() and not given.table:
            run(name, path, given.minutes)
            print(f"{name}: {json.loads(path.read_text())['seconds']} s", flush=True)
        if path.exists():
            rows[name] = json.loads(path.read_text(encoding="utf-8"))
    print("\n".join([HEAD, *(line(*each) for each in rows.items())]))
    exported = sum("files" in row for row in rows.values())
    runs = sum(bool(row.get("micro") and row["micro"]["runs"]) for row in rows.values())
    print(f"{exported} of {len(rows)} exported, {runs} run in TensorFlow Lite Micro")


if __name__ == "__main__":
    main()
