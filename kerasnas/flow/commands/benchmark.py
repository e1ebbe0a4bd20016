"""Times of exported files, as a table and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from kerasnas.errors import counted
from kerasnas.export import timing
from kerasnas.export.timing import Benchmark
from kerasnas.flow.commands.tables import UNLIMITED, figures_table
from kerasnas.paths import StrPath, path_or_none
from kerasnas.runs.record import SCHEMA


@dataclass(frozen=True)
class Timed:
    """Figures of some files, on this machine."""

    files: tuple[Benchmark, ...]

    def table(self, width: int = UNLIMITED) -> RenderableType:
        """Return a row for each file.

        Args:
            width: Columns of the screen; see `figures_table`.
        """
        caption = "milliseconds a run: median (95th percentile); arena estimated"
        if any(file.keeps_state for file in self.files):
            caption += "; * keeps state: reset before each run"
        threads = [latency.threads for latency in self.files[0].latency_ms]
        names = [counted(count, "thread") for count in threads]
        heads = ["file", "bytes", *names, "× float32", "arena bytes", "XNNPACK", "needs"]
        files = [Path(file.file).name for file in self.files]
        if len(set(files)) < len(files):
            files = [file.file for file in self.files]
        rows = [_row(name, file) for name, file in zip(files, self.files, strict=True)]
        return figures_table(heads, rows, width, caption=caption)

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "schema": SCHEMA,
            "files": [file.to_json() for file in self.files],
            "no_operator_milliseconds": timing.NO_OPERATOR_TIMES,
            "runtime": f"ai-edge-litert {version('ai-edge-litert')}",
            "machine": platform.machine(),
        }


def benchmark(
    files: Sequence[StrPath],
    float32: StrPath | None = None,
    runs: int = 100,
) -> Timed:
    """Time exported files, and plan the memory that they need.

    Args:
        files: `.tflite` files.
        float32: The same network in float32, `.keras` or `.tflite`, to compare with.
        runs: Timed runs of a file.

    Raises:
        ExportError: A file is missing or damaged.
    """
    paths = [Path(file) for file in files]
    return Timed(tuple(timing.benchmark(paths, float32=path_or_none(float32), runs=runs)))


def _row(name: str, file: Benchmark) -> list[str]:
    """Return the figures of a file, as cells of the table."""
    share = f"{file.delegation.share:.0%}"
    return [
        name + ("*" if file.keeps_state else ""),
        f"{file.bytes:,}",
        *(f"{times.median:.2f} ({times.p95:.2f})" for times in file.latency_ms),
        "–" if file.speed_up is None else f"{file.speed_up:.2f}",
        f"{file.arena_bytes:,}",
        f"≈ {share}" if file.delegation.estimated else share,
        file.minimum_runtime or "–",
    ]
