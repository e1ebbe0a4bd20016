"""Checking an integer file on TensorFlow Lite Micro, and its sources for an application there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats
from ..check.checks import FileCheck, Verdict, worst
from ..errors import ExportError
from ..files import sha256
from ..flatbuffer.graph import TfliteFile
from ..settings import ExportSettings
from .runtime import MicroRun, run_micro
from .sources import MicroInput, MicroModel, header, resolver_functions, source

EXAMPLES = 16
"""Most examples that a file is run on there, whose kernels are slow."""
MEAN_STEPS, MOST_STEPS = 1.0, 16
"""Steps of the scores' integers by which they may differ from LiteRT's, on average and at most.

Both runtimes round every operator's results to the same integers, but XNNPACK and the reference
kernels break ties differently, and what is off by a step goes on through the layers.
"""


@dataclass(frozen=True)
class MicroFile:
    """What came of a file on TensorFlow Lite Micro.

    Attributes:
        entry: What the report says of it; None where it does not run there.
        checks: Verdicts on it.
        sources: Contents of the sources, by name; none where it does not run.
    """

    entry: dict[str, Any] | None
    checks: list[FileCheck]
    sources: dict[str, bytes]


def source_names(name: str) -> tuple[str, str]:
    """Return the names of header and source of a `.tflite` file."""
    stem = name.removesuffix(".tflite")
    return f"{stem}.h", f"{stem}.cc"


def examine_micro(
    path: Path,
    name: str,
    examples: Floats,
    scores: Floats,
    given: MicroInput,
    settings: ExportSettings,
) -> MicroFile:
    """Run a file in TensorFlow Lite Micro and write its sources.

    Args:
        path: The file.
        name: Its name in the end.
        examples: `(n, *input shape)`; the first `EXAMPLES` are used.
        scores: LiteRT's of these, `(n, *output shape)`.
        given: What the sources hold besides.
        settings: The limit of the arena.
    """
    examples, scores = examples[:EXAMPLES], scores[:EXAMPLES]
    content = path.read_bytes()
    step = output_step(content)
    if step is None:
        return _refused(name, "its scores are no integers inside: it computes in float")
    try:
        run = run_micro(path, examples)
    except ExportError as error:
        return _refused(name, str(error))
    steps = np.abs(run.scores.reshape(scores.shape) - scores) / step
    checks = [_same(name, steps, len(examples)), *_arena(name, run, settings)]
    operators = tuple(sorted(_operators(content)))
    model = MicroModel(
        name.removesuffix(".tflite"),
        content,
        operators,
        run.arena_bytes,
        examples[0],
        run.scores[0],
        MOST_STEPS * step,
    )
    header_name, source_name = source_names(name)
    sources = {
        header_name: header(model, given).encode(),
        source_name: source(model, given).encode(),
    }
    entry = {
        "file": source_name,
        "sha256": sha256(sources[source_name]),
        "header": {"file": header_name, "sha256": sha256(sources[header_name])},
        "arena_bytes": run.arena_bytes,
        "tensor_bytes": run.tensor_bytes,
        "lasting_bytes": run.lasting_bytes,
        "operators": list(operators),
        "resolver": resolver_functions(operators),
        "examples": len(examples),
        "steps": {"mean": float(steps.mean()), "most": float(steps.max()), "step": step},
        "verdict": worst(checks),
    }
    return MicroFile(entry, checks, sources)


def output_step(content: bytes) -> float | None:
    """Return the step of the integers behind a file's scores; None where they are floats."""
    main = TfliteFile(content).main
    (place,) = main.t.outputs
    producer = main.producer(int(place))
    if producer is None or main.name_of(producer) != "DEQUANTIZE":
        return None
    scale = main.existing(int(producer.inputs[0])).scale
    return None if scale is None else scale.step


def _operators(content: bytes) -> set[str]:
    return {
        graph.name_of(operator)
        for graph in TfliteFile(content).graphs
        for operator in graph.t.operators
    }


def _refused(name: str, reason: str) -> MicroFile:
    text = f"{name} does not run in TensorFlow Lite Micro: {reason}"
    return MicroFile(None, [FileCheck("micro", name, "failed", None, 0, text)], {})


def _same(name: str, steps: Floats, examples: int) -> FileCheck:
    mean, most = float(steps.mean()), float(steps.max())
    passed = mean <= MEAN_STEPS and most <= MOST_STEPS
    return FileCheck(
        "micro",
        name,
        "passed" if passed else "failed",
        most if np.isfinite(most) else None,
        MOST_STEPS,
        f"scores of {name} in TensorFlow Lite Micro differ from LiteRT's by {mean:.2g} steps of "
        f"their integers on average over {examples} examples, and by {most:.2g} at most; "
        f"{MEAN_STEPS:g} and {MOST_STEPS} are allowed",
    )


def _arena(name: str, run: MicroRun, settings: ExportSettings) -> list[FileCheck]:
    most = settings.arena_bytes
    if most is None:
        return []
    over = run.arena_bytes - most
    finding = (
        f"within the limit of {most:,}"
        if over <= 0
        else f"{over:,} more than the limit of {most:,}: take a network of smaller layers, or "
        "raise the limit"
    )
    text = f"{name} needs an arena of {run.arena_bytes:,} bytes, {finding}"
    verdict: Verdict = "passed" if over <= 0 else "failed"
    return [FileCheck("arena", name, verdict, run.arena_bytes, most, text)]
