"""How fast `.tflite` files are here, and how much memory they need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .check.interpreter import latency, open_tflite
from .convert.lowering import Candidate, convert_candidate
from .display import html_table
from .errors import ExportError
from .files import verify
from .flatbuffer.arena import arena_bytes
from .flatbuffer.delegation import Delegation, read_delegation
from .flatbuffer.facts import read_facts
from .settings import ExportSettings

NO_OPERATOR_TIMES = (
    "LiteRT's Python interface has no profiler: TensorFlow Lite's benchmark_model, with "
    "--enable_op_profiling=true, tells the time by operator on a phone"
)
"""Looked for in ai-edge-litert 2.3: `Interpreter` takes no profiler, `CompiledModel` shows none of
the events that the C library's `LiteRtCreateProfiler` collects, and its `benchmark_litert_model`
times whole runs."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one run; the 95th percentile, and how many threads computed."""

    threads: int
    median: float
    p95: float


_COLUMNS = ("file", "bytes", "ms", "× float32", "arena bytes", "XNNPACK")


@dataclass(frozen=True, repr=False)
class Benchmark:
    """Figures of one file.

    Attributes:
        file: Its path.
        bytes: Its size.
        latency_ms: On one thread, and on all where there are more.
        arena_bytes: Of inner tensors; always an estimate, see `kerasnas.export.flatbuffer.arena`.
        operators: By `NAME:version`, how many; how long each takes is not known, see
            `NO_OPERATOR_TIMES`.
        delegation: What XNNPACK takes.
        minimum_runtime: Oldest TensorFlow Lite runtime that has all operators, if it says so.
        keeps_state: Whether its variables were reset before each run, as applications must.
        speed_up: The median of the float32 file on one thread over this one's; None without one.
    """

    file: str
    bytes: int
    latency_ms: tuple[Latency, ...]
    arena_bytes: int
    operators: dict[str, int]
    delegation: Delegation
    minimum_runtime: str | None
    keeps_state: bool
    speed_up: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all figures by name."""
        return asdict(self) | {"arena_estimated": True, "operator_milliseconds": None}

    def __repr__(self) -> str:
        values = zip(_COLUMNS[1:], self.row()[1:], strict=True)
        shown = ", ".join(f"{name} {value}" for name, value in values if value)
        return f"<Benchmark of {self.file}: {shown}>"

    def row(self) -> list[str]:
        """Return figures as text, in the order of the table of `Benchmarks`."""
        times = " / ".join(f"{times.median:.2f}" for times in self.latency_ms)
        speed_up = "" if self.speed_up is None else f"{self.speed_up:.2f}"
        share = f"{self.delegation.share:.0%}"
        return [self.file, f"{self.bytes:,}", times, speed_up, f"{self.arena_bytes:,}", share]


class Benchmarks(tuple[Benchmark, ...]):
    """Figures of some files, in the order in which they were given."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no Benchmark>"

    def _repr_html_(self) -> str:
        threads = " / ".join(str(latency.threads) for latency in self[0].latency_ms)
        caption = f"milliseconds: median of a run on {threads} threads; arena estimated"
        return html_table(caption, _COLUMNS, [file.row() for file in self])


def benchmark(
    files: Sequence[str | os.PathLike[str]],
    *,
    float32: str | os.PathLike[str] | None = None,
    runs: int = 100,
) -> Benchmarks:
    """Time files on this machine, with inputs of zeros.

    Args:
        files: `.tflite` files of any inputs and outputs of known shapes.
        float32: The same network in float32, to compare with: a file like the others, or the Keras
            model (`.keras`), which is converted for it. It is listed first.
        runs: Timed runs of a file, after five untimed ones.

    Raises:
        ExportError: A file is missing or damaged, is no `.tflite` file, is not the one that
            `export.json` beside it tells of, or does not convert.
    """
    paths = [Path(file) for file in files]
    if not paths:
        raise ExportError("there is nothing to time: give .tflite files")
    if float32 is None:
        return Benchmarks(_measure(path, runs, None) for path in paths)
    with _converted(Path(float32)) as file:
        first = replace(_measure(file, runs, None), file=str(float32))
    base = first.latency_ms[0].median
    return Benchmarks([first, *(_measure(path, runs, base) for path in paths)])


@contextmanager
def _converted(path: Path) -> Iterator[Path]:
    """Give the file itself, or a float32 file of a Keras model, for as long as it is needed."""
    if path.suffix != ".keras":
        yield path
        return
    if not path.is_file():
        raise ExportError(f"{path} does not exist: give a .keras or .tflite file")
    verify(path)
    with TemporaryDirectory(prefix="kerasnas-") as directory:
        file = Path(directory) / "model.tflite"
        convert_candidate(path, Candidate("float32"), file, Path(directory), ExportSettings())
        yield file


def _measure(path: Path, runs: int, base: float | None) -> Benchmark:
    latencies = []
    for threads in sorted({1, os.cpu_count() or 1}):
        interpreter = open_tflite(path, threads)
        latencies.append(Latency(threads, *latency(interpreter, runs)))
    content, facts = path.read_bytes(), read_facts(path)
    return Benchmark(
        file=str(path),
        bytes=facts.bytes,
        latency_ms=tuple(latencies),
        arena_bytes=arena_bytes(content),
        operators=facts.operators,
        delegation=read_delegation(interpreter, content),
        minimum_runtime=facts.minimum_runtime,
        keeps_state=facts.keeps_state,
        speed_up=None if base is None else base / latencies[0].median,
    )
