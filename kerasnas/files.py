"""Files that are never seen half-written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from kerasnas.errors import KerasnasError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` beside `path` and rename, making missing directories.

    Raises:
        KerasnasError: The directory cannot be written to, or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    name: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise KerasnasError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if name is not None:
            Path(name).unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write `data` as indented JSON; NaN is not JSON and is refused."""
    write_atomically(path, json.dumps(data, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        KerasnasError: The file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KerasnasError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise KerasnasError(f"{path} cannot be read: {error}") from None
