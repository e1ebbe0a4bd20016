"""Where data sets are looked for, and where derived files are kept."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_dir

from kerasnas.datasets.table import printable
from kerasnas.errors import KerasnasError
from kerasnas.files import make_directory, publish


def cache_root(cache: Path | str | None = None) -> Path:
    """Return the place of derived files: `cache`, `$KERASNAS_CACHE`, or else the user's cache."""
    given = cache or os.environ.get("KERASNAS_CACHE")
    return Path(given).expanduser() if given else Path(user_cache_dir("kerasnas"))


def data_root(override: Path | str | None, configured: Path | None) -> Path | None:
    """Return a data set's place: `override`, `$KERASNAS_DATA`, or else the experiment's root."""
    given = override or os.environ.get("KERASNAS_DATA") or configured
    return Path(given).expanduser() if given else None


def existing_directory(root: Path | None, dataset: str) -> Path:
    """Return `root`, absolute, once it is known to be a directory.

    Raises:
        KerasnasError: When no root was given, it is not a directory, or its path is not UTF-8.
    """
    if root is None:
        raise KerasnasError(
            f"data set {dataset} needs a directory: give --data DIR, "
            "set KERASNAS_DATA, or write data: root: DIR into the experiment"
        )
    if not root.is_dir():
        state = "is a file, not a directory" if root.exists() else "does not exist"
        raise KerasnasError(f"{root}: data directory {state} (--data, KERASNAS_DATA or data: root)")
    if (path := printable(root.absolute())) != str(root.absolute()):
        raise KerasnasError(f"{path}: the path is not UTF-8 text; rename the directory")
    return root.absolute()


@contextmanager
def filled_beside(directory: Path) -> Iterator[Path]:
    """Make `directory` appear whole or not at all, and on the disk before it appears.

    Yields a directory beside it to be filled, which is then moved into place; when another process
    has done the same meanwhile, that one's directory stays.

    Raises:
        KerasnasError: When nothing can be written there.
    """
    partial = None
    try:
        make_directory(directory.parent)
        _remove_abandoned(directory)
        partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        yield partial
        partial.chmod(0o755)  # mkdtemp's directories are closed to others
        try:
            publish(partial, directory)
        except OSError:
            if not directory.is_dir():
                raise
    except OSError as error:
        raise KerasnasError(
            f"{directory.parent}: cannot be written ({error.strerror}); set KERASNAS_CACHE "
            "(for generated data, --data) to a directory with room that can"
        ) from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _remove_abandoned(directory: Path) -> None:
    """Remove what killed processes left beside `directory` more than a day ago."""
    for partial in directory.parent.glob(f".{directory.name}-*"):
        with suppress(FileNotFoundError):  # moved into place just now
            if time.time() - partial.stat().st_mtime > 24 * 3600:
                shutil.rmtree(partial, ignore_errors=True)
