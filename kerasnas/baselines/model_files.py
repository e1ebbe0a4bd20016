"""Model files of `DNN.save`, of Keras and of kerasnas' run directories, with their labels."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from kerasnas.errors import KerasnasError
from kerasnas.files import read_json

if TYPE_CHECKING:
    import keras

Labels = tuple[str, ...] | None

_LABELS = "labels.txt"  # a member of the archive, which Keras passes over


def write(model: keras.Model, labels: Labels, path: Path) -> None:
    """Write a Keras archive of any name, which Keras opens where the name ends in `.keras`.

    Raises:
        KerasnasError: The directory cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
            archive = Path(directory) / "model.keras"
            model.save(archive)
            if labels is not None:
                with zipfile.ZipFile(archive, "a") as file:
                    file.writestr(_LABELS, "".join(f"{label}\n" for label in labels))
            archive.replace(path)
    except OSError as error:
        raise KerasnasError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path, optimizer: bool = True) -> tuple[keras.Model, Labels]:
    """The model and its labels, where some are known.

    Args:
        path: A file of `DNN.save` or Keras, or a run directory of `kerasnas search`, which stands
            for its chosen network.
        optimizer: Whether the optimiser's state is read, where the file has one.

    Raises:
        KerasnasError: There is no such file, or it is no Keras model.
    """
    import keras

    file = _model_of(path)
    if not zipfile.is_zipfile(file):
        hint = "it does not exist"
        if file.exists():
            hint = "it is no Keras archive"
        elif file.with_name(f"{file.name}.index").exists():
            hint = "checkpoints of TensorFlow 1 cannot be read"
        raise KerasnasError(
            f"{file} cannot be loaded: {hint}; give a file of DNN.save or a model.keras, or a run "
            "directory of kerasnas search"
        )
    with tempfile.TemporaryDirectory() as directory:
        link = Path(directory) / "model.keras"  # Keras goes by the name's ending
        link.symlink_to(file.absolute())
        try:
            model = keras.saving.load_model(link, compile=optimizer)
        except (ValueError, TypeError, KeyError) as error:
            raise KerasnasError(f"{file} cannot be loaded by Keras: {error}") from None
    return model, _labels_of(path, file)


def _model_of(path: Path) -> Path:
    if (path / "winners.json").is_file():
        winners = read_json(path / "winners.json")
        return Path(path / winners[winners["chosen"]]["directory"] / "model.keras")
    if path.is_dir() and not (path / "model.keras").is_file():
        raise KerasnasError(
            f"{path} has no winners.json and no model.keras: let `kerasnas search` end there first"
        )
    return path / "model.keras" if path.is_dir() else path


def _labels_of(path: Path, file: Path) -> Labels:
    with zipfile.ZipFile(file) as archive:
        if _LABELS in archive.namelist():
            return tuple(archive.read(_LABELS).decode().splitlines())
    if (file.parent / "evaluation.json").is_file():
        return tuple(read_json(file.parent / "evaluation.json")["classes"])
    exported = path / "export" / _LABELS
    if exported.is_file():
        return tuple(exported.read_text(encoding="utf-8").splitlines())
    return None
