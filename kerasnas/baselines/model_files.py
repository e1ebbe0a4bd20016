"""Model files of `DNN.save`, of Keras and of kerasnas' run directories, with their labels."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.export.keras_model.model_file import check_archive
from kerasnas.files import make_directory, publish
from kerasnas.runs.layout import LABELS, MODEL, WINNERS, RunPaths, TrainingPaths
from kerasnas.runs.records import Evaluation
from kerasnas.runs.run import chosen_training, read_labels

if TYPE_CHECKING:
    import keras

Labels = tuple[str, ...] | None


def write(model: keras.Model, labels: Labels, path: Path) -> None:
    """Write a Keras archive of any name, which Keras opens where the name ends in `.keras`.

    Raises:
        KerasnasError: The directory cannot be written to, or the disk is full.
    """
    try:
        make_directory(path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
            archive = Path(directory) / MODEL
            model.save(archive)
            if labels is not None:
                with zipfile.ZipFile(archive, "a") as file:  # Keras passes over the member
                    file.writestr(LABELS, "".join(f"{label}\n" for label in labels))
            publish(archive, path)
    except OSError as error:
        raise KerasnasError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path, optimizer: bool = True) -> tuple[keras.Model, Labels]:
    """Return the model and its labels, where some are known.

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
    try:
        check_archive(file, str(file))
    except ExportError as error:
        raise KerasnasError(str(error)) from None
    with tempfile.TemporaryDirectory() as directory:
        link = Path(directory) / MODEL  # Keras goes by the name's ending
        link.symlink_to(file.absolute())
        try:
            model = keras.saving.load_model(link, compile=optimizer)
        except (ValueError, TypeError, KeyError) as error:
            raise KerasnasError(f"{file} cannot be loaded by Keras: {error}") from None
    return model, _labels_of(path, file)


def _model_of(path: Path) -> Path:
    if RunPaths(path).winners.is_file():
        return chosen_training(path).model
    if not path.is_dir():
        return path
    model = TrainingPaths(path).model
    if not model.is_file():
        raise KerasnasError(
            f"{path} has no {WINNERS} and no {MODEL}: let `kerasnas search` end there first"
        )
    return model


def _labels_of(path: Path, file: Path) -> Labels:
    with zipfile.ZipFile(file) as archive:
        if LABELS in archive.namelist():
            return tuple(archive.read(LABELS).decode().splitlines())
    evaluation, export = TrainingPaths(file.parent).evaluation, RunPaths(path).export
    if evaluation.is_file():
        return Evaluation.read(evaluation).classes
    return read_labels(export) if export.labels.is_file() else None
