"""A `kerasnas search` in a process of its own, watched from outside through its journal."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from kerasnas.runs.layout import RunPaths

EXPERIMENT = {
    "schema": 1,
    "name": "benchmark",
    "data": {"dataset": "synthetic"},
    "features": {
        "sample_rate": 16000,
        "seconds": 1.5,
        "n_fft": 512,
        "hop_length": 320,
        "mel_bins": 40,
    },
    "model": {
        "space": "wu_lee",
        "blocks": [2, 3],
        "stem_filters": [8, 48],
        "stem_strides": [2, 2],
    },
}
"""Small networks on sounds that are made on the spot, as in the quick start."""


class Session:
    """A search that runs until it is left; `run` is its directory.

    Args:
        settings: What the experiment has besides, or in place of, `EXPERIMENT`.
        options: Of the command line.
    """

    def __init__(self, settings: dict[str, Any], *options: str) -> None:
        self._scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.run = Path(self._scratch.name, "run")
        file = Path(self._scratch.name, "benchmark.yaml")
        file.write_text(yaml.safe_dump({**EXPERIMENT, **settings}))
        command = [sys.executable, "-m", "kerasnas", "search", str(file), "--run", str(self.run)]
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, start_new_session=True
        )

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's events of this kind that are complete."""
        try:
            *lines, _ = RunPaths(self.run).journal.read_text().split("\n")
        except FileNotFoundError:
            return []
        return [event for event in map(json.loads, lines[1:]) if event["event"] == kind]

    def alive(self) -> bool:
        """Whether the search still runs."""
        return self.process.poll() is None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait()
        self._scratch.cleanup()
