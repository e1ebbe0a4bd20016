"""Times of exported files, as a table and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from kerasnas.export import timing
from kerasnas.export.timing import Benchmark
from kerasnas.files import write_json


@dataclass(frozen=True)
class Timed:
    """Figures of some files, on this machine."""

    files: tuple[Benchmark, ...]

    def table(self) -> Table:
        """A row for each file."""
        caption = "milliseconds a run: median (95th percentile); arena estimated"
        if any(file.keeps_state for file in self.files):
            caption += "; * keeps state: reset before each run"
        table = Table(caption=caption)
        table.add_column("file", overflow="fold")
        threads = [latency.threads for latency in self.files[0].latency_ms]
        names = [f"{count} thread{'s' if count > 1 else ''}" for count in threads]
        for name in ("bytes", *names, "× float32", "arena bytes", "XNNPACK", "needs"):
            table.add_column(name, justify="right")
        names_alone = [Path(file.file).name for file in self.files]
        alike = len(set(names_alone)) < len(names_alone)
        for name, file in zip(names_alone, self.files, strict=True):
            share = f"{file.delegation.share:.0%}"
            table.add_row(
                (file.file if alike else name) + ("*" if file.keeps_state else ""),
                f"{file.bytes:,}",
                *(f"{times.median:.2f} ({times.p95:.2f})" for times in file.latency_ms),
                "–" if file.speed_up is None else f"{file.speed_up:.2f}",
                f"{file.arena_bytes:,}",
                f"≈ {share}" if file.delegation.estimated else share,
                file.minimum_runtime or "–",
            )
        return table

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "schema": 1,
            "files": [file.to_json() for file in self.files],
            "no_operator_milliseconds": timing.NO_OPERATOR_TIMES,
            "runtime": f"ai-edge-litert {version('ai-edge-litert')}",
            "machine": platform.machine(),
        }


def benchmark(files: Sequence[Path], float32: Path | None, runs: int, output: Path | None) -> Timed:
    """Time files; write their figures to `output`, if there is one, as JSON.

    Raises:
        ExportError: A file is missing or damaged.
    """
    timed = Timed(tuple(timing.benchmark(files, float32=float32, runs=runs)))
    if output is not None:
        write_json(output, timed.to_json())
    return timed
