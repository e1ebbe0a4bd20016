"""A file that holds a network: a trunk, the front end before it, and what it says of itself."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from kerasnas.errors import KerasnasError
from kerasnas.export.convert.lowering import Candidate, convert_candidate
from kerasnas.export.errors import ExportError
from kerasnas.export.flatbuffer.metadata import Metadata
from kerasnas.export.flatbuffer.reading import metadata_of, open_graph
from kerasnas.export.settings import ExportSettings
from kerasnas.export.waveforms.recognise import FoundFrontEnd, recognise
from kerasnas.files import digest
from kerasnas.models.pretrained.graph import read_parts
from kerasnas.models.pretrained.trunk import Trunk


@dataclass(frozen=True, eq=False)
class PretrainedFile:
    """What a file holds.

    Attributes:
        path: Of the file.
        sha256: Of the file, in hexadecimal digits.
        trunk: All blocks of the network.
        front_end: Of a file that takes a waveform; None of one that takes a spectrogram.
        metadata: What the file says of itself.
    """

    path: Path
    sha256: str
    trunk: Trunk
    front_end: FoundFrontEnd | None
    metadata: Metadata


def read(path: Path | str) -> PretrainedFile:
    """Read a network from a `.tflite` or `.keras` file.

    A `.keras` file is converted to float32 first, in a child process, which folds its batch
    normalisations. Weights of integers and float16 become float32.

    Raises:
        KerasnasError: The file is missing or damaged, takes a waveform in a way that is not known,
            or has an operator that cannot be read; the message names it.
    """
    path = Path(path)
    try:
        status = path.stat()
    except OSError as error:
        raise KerasnasError(f"{path}: {error.strerror}; give a .tflite or .keras file") from None
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, changed: int) -> PretrainedFile:
    """Read it again when size or time of change are others."""
    try:
        if path.suffix == ".keras":
            with tempfile.TemporaryDirectory() as directory:
                converted = Path(directory) / "model.tflite"
                convert_candidate(
                    path.absolute(),
                    Candidate("float32"),
                    converted,
                    scratch=Path(directory),
                    limits=ExportSettings(),
                    name=str(path),
                )
                found = _read_tflite(converted)
        else:
            found = _read_tflite(path)
    except (ExportError, KerasnasError) as error:
        text = str(error)
        raise KerasnasError(text if str(path) in text else f"{path}: {text}") from None
    return replace(found, path=path, sha256=digest(path))


def _read_tflite(path: Path) -> PretrainedFile:
    file, content = open_graph(path), path.read_bytes()
    metadata = metadata_of(file, content)
    front_end = recognise(content, metadata)
    if front_end is None and len(file.main.t.inputs) != 1:
        raise KerasnasError(f"it has {len(file.main.t.inputs)} inputs, and one can be read")
    start = int(file.main.t.inputs[0]) if front_end is None else front_end.end
    shape, parts = read_parts(file, start)
    trunk = Trunk(
        shape,
        tuple(part.block for part in parts),
        tuple(part.weights for part in parts),
        tuple(part.place for part in parts),
    )
    return PretrainedFile(path, "", trunk, front_end, metadata)
