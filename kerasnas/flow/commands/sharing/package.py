"""`kerasnas package`: a network's files in one folder, for whoever runs or publishes them.

The folder holds no recording and no name of one: its only sound is the made-up one of
`features.json`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.export.check.interpreter import load
from kerasnas.export.files import verify
from kerasnas.features.description import decode
from kerasnas.files import digest, make_directory, publish
from kerasnas.flow.commands.sharing.samples import PYTHON, C
from kerasnas.flow.result import Result
from kerasnas.paths import StrPath
from kerasnas.report.model_card import model_card
from kerasnas.runs.directory import read_settings
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Export, FrontEndDescription

TOLERANCE = 0.02
"""Scores of another machine may differ by so much; its kernels add up in another order."""

_CARD = "README.md"
_INPUT = "golden_features.bin"
_SCORES = "golden.json"
_SUMS = "SHA256SUMS"


@dataclass(frozen=True, repr=False)
class Package(Result):
    """A folder that is whole by itself.

    Attributes:
        directory: The folder.
        files: Names of its files, sorted.
    """

    directory: Path
    files: tuple[str, ...]

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        size = sum((self.directory / name).stat().st_size for name in self.files)
        return {
            "directory": str(self.directory),
            "files": ", ".join(self.files),
            "bytes": f"{size:,}",
        }


def package_run(run: StrPath, output: StrPath | None = None) -> Package:
    """Put all that is needed to run, check and publish a run's network into one folder.

    These are the `.tflite` files (and C++ sources, where there are some), `labels.txt`,
    `features.json` and, of a tagger, `thresholds.json`; `export.json` with every check; the model
    card, as `README.md`, where hubs look for it; `run.py` and `run.c`; the made-up sound's features
    and every file's scores of them; `SHA256SUMS`.

    Args:
        run: Run directory of a search that has exported.
        output: The folder to make; by default `package/` in the run directory.

    Raises:
        KerasnasError: It is no run directory, has no export, or `output` exists.
        ExportError: An exported file is missing or is not what `export.json` says.
    """
    run = Path(run)
    read_settings(run)
    exported = RunPaths(run).export
    export = Export.known(exported.report)
    card = model_card(run)
    if export is None or card is None:
        raise KerasnasError(f"{run} has no exported files: run `kerasnas export {run}` first")
    output = RunPaths(run).package if output is None else Path(output)
    if output.exists():
        raise KerasnasError(f"{output} exists: move it away, or give another --output")
    beside = [exported.labels, exported.front_end, exported.thresholds, exported.report]
    shipped = [exported.path / name for name in export.checksums if not name.endswith(".keras")]
    for path in shipped:
        verify(path)
    try:
        make_directory(output.absolute().parent)
        with tempfile.TemporaryDirectory(
            prefix=f".{output.name}-", dir=output.absolute().parent
        ) as made:
            folder = Path(made) / output.name
            folder.mkdir()
            for path in [*shipped, *(each for each in beside if each.is_file())]:
                shutil.copyfile(path, folder / path.name)
            names = [path.name for path in folder.iterdir()]
            for name in names:  # the card names files by their place in the run
                card = card.replace(f"export/{name}", name)
            _write(folder / _CARD, card)
            _write(folder / "run.py", PYTHON)
            _write(folder / "run.c", C)
            _write_golden(folder, export, FrontEndDescription.read(exported.front_end))
            files = sorted(path.name for path in folder.iterdir())
            sums = "".join(f"{digest(folder / name)}  {name}\n" for name in files)
            _write(folder / _SUMS, sums)
            publish(folder, output)
    except OSError as error:
        raise KerasnasError(f"{output} cannot be written: {error.strerror}") from None
    return Package(output, tuple(sorted([*files, _SUMS])))


def _write_golden(folder: Path, export: Export, front_end: FrontEndDescription) -> None:
    """Write the input of the samples, and what every file in a folder answers."""
    golden = front_end.golden
    # Where channels are inputs of their own, the first one is shown.
    features = decode(golden["features"])[0, ..., : export.input_shape[-1]]
    (folder / _INPUT).write_bytes(np.ascontiguousarray(features, "<f4").tobytes())
    given = {entry.file: "features" for entry in export.files.values()}
    examples: dict[str, NDArray[Any]] = {"features": features.astype(np.float32)}
    if export.waveforms:
        given |= {entry.file: "waveform" for entry in export.waveforms}
        examples["waveform"] = decode(golden["waveform"])[:, 0].astype(np.float32) / 32768
    scores = {
        name: load(folder / name).predict(examples[kind][None])[0] for name, kind in given.items()
    }
    record = {
        "shape": list(features.shape),
        "inputs": given,
        "tolerance": TOLERANCE,
        "scores": {
            name: [round(float(each), 6) for each in found] for name, found in scores.items()
        },
    }
    _write(folder / _SCORES, json.dumps(record, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
