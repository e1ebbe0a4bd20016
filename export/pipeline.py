"""From a Keras model to `.tflite` files, and a report of what was checked on the files.

`validate → reference → convert → write → report`: arguments are refused first, then data that do
not fit the model; forms are written and checked in a scratch directory; only files that all exist
are put where the caller wants them; `export.json` comes last.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import validate
from .arrays import Floats
from .calibration import calibration_examples, flat_examples
from .check.checks import TEST_CLIPS, FileCheck
from .check.interpreter import open_keras
from .check.networks import KerasNetwork
from .check.parity import require_fitting_scores, require_fitting_shape
from .convert.lowering import CALIBRATION, require_lstm
from .errors import CheckFailed, ExportError
from .files import LABELS, RECORD, file_name, write_atomically
from .forms import Format, TaskKind
from .keras_model.custom import CustomCode
from .keras_model.model_file import check_model
from .keras_model.private import flat_layers
from .keras_model.recurrent import recurrent_layers
from .labels import checked_classes, dense_labels
from .ladder import Examined, Reference, climb_down
from .micro.file import source_names
from .micro.sources import MicroInput, Parameter
from .record import describe, describe_files
from .result import ExportResult
from .settings import ExportSettings
from .tuned import TUNED, Tuned, figures, tune
from .waveforms.file import WaveformInput, waveform_name

if TYPE_CHECKING:
    import keras

_NOISE, _NOISE_CLIPS = "examples of noise", 16
_NOISE_SEED = 0


def export(
    model: keras.Model | str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    calibration: Floats | None = None,
    test_x: Floats | None = None,
    test_y: Any = None,
    classes: Sequence[str] | None = None,
    task: TaskKind = "single_label",
    train: tuple[Floats, Any] | None = None,
    settings: ExportSettings | None = None,
    waveform: WaveformInput | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    modules: Sequence[str] = (),
    parameters: Mapping[str, Parameter] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ExportResult:
    """Write `model_float16.tflite`, `model_int8.tflite`, `labels.txt` and `export.json`.

    With `waveform` also `model_float16_waveform.tflite` and `model_int8_waveform.tflite`: the same
    files with their front end before them. For microcontrollers (the target `tflm` in the
    settings) also `model_int8.h` and `model_int8.cc`: the int8 file as C++ sources.

    Each conversion runs in a child process with limits; every figure of the report is measured on
    the written file.

    Args:
        model: A functional Keras model with one input of known shape and one output, or its
            `.keras` file. One of mixed precision is taken as computing in float32.
        directory: Where to write; made if missing, and only once there is something to write. Files
            of the same names are replaced.
        calibration: Training clips for the integer ranges, `(clips, *input shape)` or
            `(clips, segments, *input shape)`, of which one segment a clip is used; `stratified`
            chooses clips. Needed for the format `int8`. Values beyond what these clips reach
            saturate, also scores without a softmax or sigmoid.
        test_x: Clips nobody trained or calibrated on, of such a shape; a clip's score is the mean
            over its segments. Without them, files are held against the Keras model on the
            calibration clips, or else on noise.
        test_y: Their labels, as `kerasnas.export.labels` takes them: a number for each output, or
            indices of classes. Without them, no accuracy is claimed.
        classes: Names of the outputs, in order; `labels.txt` is only written with them.
        task: What the outputs are; see `kerasnas.export.check.parity`.
        train: Clips to fine-tune on, as `calibration`, and their labels, as `test_y`; needed where
            `settings` ask for it, by `sparsity` or `qat`. The files then hold the fine-tuned
            model, `model_tuned.keras`, and are held against it, and it against `model`.
        settings: Formats, budget, agreement floor, limits.
        waveform: The front end of files that take the waveform, and what to check them on.
        custom_objects: Layers, cells and functions of the model that are neither Keras's own nor
            registered here, by the names that Keras saves them under, as for
            `keras.saving.load_model`. Conversions run in other processes, so that each must be
            found in a module that can be imported.
        modules: Modules to import, here and there, whose layers are registered with Keras.
        parameters: Of what computes the features, by name, for the header of the target `tflm`:
            numbers, texts and truth values.
        progress: Called with a line before each slow step.

    Returns:
        The files, the report, as in `export.json`, and each file's scores.

    Raises:
        ExportError: The model or the data cannot be used, or a conversion failed; nothing is
            written.
        CheckFailed: A check failed and `settings.on_fail` is not `report`; all files are written.

    Example:
        >>> result = export(model, "phone", calibration=x_train[:40])
        >>> result.files["int8"]
        PosixPath('phone/model_int8.tflite')
    """
    settings = settings or ExportSettings()
    directory = Path(directory)
    validate(directory, task, train, waveform, settings, calibration, (test_x, test_y))
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as temporary:
        scratch = Path(temporary)
        network = _open(model, scratch, CustomCode.of(custom_objects, modules))
        if settings.recurrent == "fused_lstm":
            require_lstm(recurrent_layers(network.model))
        require_fitting_shape(task, network.output_shape)
        names = checked_classes(classes, network.outputs)
        given = _reference(network, task, test_x, test_y, calibration, progress)
        if settings.target == "tflm":
            given = replace(given, micro=MicroInput(names, parameters or {}))
        given = replace(given, waveform=waveform)
        if "int8" in settings.formats:
            assert calibration is not None
            examples = calibration_examples(calibration, network.input_shape)
            np.save(scratch / CALIBRATION, examples)
        made = _convert(given, train, scratch, settings, progress)
        _write(directory, made, names)
        entries = describe_files(made.files, made.reference, made.tuned, made.unfused, settings)
    report = describe(given, entries, made.checks, made.tuned, calibration, names, settings)
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    write_atomically(directory / RECORD, text.encode())
    scores: dict[str, Floats] = {name: file.scores for name, file in made.files.items()}
    result = ExportResult(directory, report, scores)
    failed = [check.message for check in made.checks if check.verdict == "failed"]
    if failed and settings.on_fail != "report":
        raise CheckFailed(
            "\n".join([*failed, f"The files stay in {directory} for inspection."]), result
        )
    return result


@dataclass(frozen=True)
class _Made:
    """Converted and checked files, still in the scratch directory.

    Attributes:
        reference: What they were made of and held against.
        files: By format.
        tuned: What came of fine-tuning; None without.
        unfused: By format, figures of files whose LSTM layers are not fused.
    """

    reference: Reference
    files: dict[Format, Examined]
    tuned: Tuned | None
    unfused: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def checks(self) -> list[FileCheck]:
        """Of all files."""
        checks = [check for file in self.files.values() for check in file.checks]
        return checks if self.tuned is None else checks + self.tuned.checks


def _open(
    model: keras.Model | str | os.PathLike[str], scratch: Path, custom: CustomCode
) -> KerasNetwork:
    """Return the model with its file: a model in memory is saved to `scratch` first."""
    if isinstance(model, str | os.PathLike):
        return open_keras(Path(model).absolute(), os.fspath(model), custom)
    name = f"the model {getattr(model, 'name', '')!r}"
    check_model(model, name)
    path = scratch / "model.keras"
    model.save(path)
    return open_keras(path, name, custom)


def _reference(
    network: KerasNetwork,
    task: TaskKind,
    test_x: Floats | None,
    test_y: Any,
    calibration: Floats | None,
    progress: Callable[[str], None],
) -> Reference:
    """Return what files are held against: scores of the best clips that there are."""
    shape = network.input_shape
    if test_x is not None:
        held_on, clips = TEST_CLIPS, test_x
    elif calibration is not None:
        held_on, clips = "calibration clips", calibration
    else:
        held_on, clips = _NOISE, _noise(network)
    examples = flat_examples(clips, shape, held_on)
    segments = len(examples) // len(clips)
    if task == "sequence" and segments > 1:
        raise ExportError(
            f"the {held_on} have {segments} segments each: scores of frames have no mean over "
            "segments, give each as a clip of its own"
        )
    labels = None
    if test_y is not None:
        labels = dense_labels(test_y, len(clips), network.output_shape, task, held_on)
    progress(f"Scoring the {held_on} with the Keras model")
    scores = network.predict(examples)
    if not np.isfinite(scores).all():
        raise ExportError(f"{network.name} gives scores that are not finite: train again")
    require_fitting_scores(task, scores)
    return Reference(network, examples, scores, task, labels, segments, held_on)


def _noise(network: KerasNetwork) -> Floats:
    """Return examples for a model of which none are given.

    Raises:
        ExportError: The model takes indices, of which noise has none, or fails on noise.
    """
    from keras import layers

    rng = np.random.default_rng(_NOISE_SEED)
    clips = rng.normal(size=(_NOISE_CLIPS, *network.input_shape)).astype(np.float32)
    why = ""
    if any(isinstance(layer, layers.Embedding) for layer in flat_layers(network.model)):
        why = "it looks indices up"
    else:
        try:
            network.predict(clips)
        except Exception as error:  # whatever the layer raises that cannot use it
            why = type(error).__name__
    if why:
        raise ExportError(
            f"{network.name} cannot score noise ({why}), on which files are compared without "
            "clips: give some in test_x= or calibration="
        )
    return clips


def _convert(
    given: Reference,
    train: tuple[Floats, Any] | None,
    scratch: Path,
    settings: ExportSettings,
    progress: Callable[[str], None],
) -> _Made:
    """Fine-tune where that is asked for, then convert and check every format."""
    tuned: Tuned | None = None
    if settings.tuned:
        assert train is not None
        tuned = tune(given, *train, scratch, settings, progress)
    reference = given if tuned is None else tuned.reference
    unfused: dict[str, dict[str, Any]] = {}
    if settings.recurrent == "fused_lstm":
        loops = settings.model_copy(update={"recurrent": "auto"})
        unfused = figures(reference, scratch, loops, progress)
    files = {
        name: climb_down(reference, name, scratch, settings, progress) for name in settings.formats
    }
    return _Made(reference, files, tuned, unfused)


def _write(directory: Path, made: _Made, classes: tuple[str, ...] | None) -> None:
    """Put all files where they belong, and take away those of an earlier export.

    All or nothing: a failed conversion has ended before and leaves those of an earlier one.
    """
    contents: dict[str, bytes | None] = {
        LABELS: None if classes is None else "".join(f"{name}\n" for name in classes).encode(),
        TUNED: None if made.tuned is None else made.reference.network.path.read_bytes(),
    }
    for name, file in made.files.items():
        contents[file_name(name)] = file.network.path.read_bytes()
        contents[waveform_name(name)] = None if file.waveform is None else file.waveform.content
        contents |= dict.fromkeys(source_names(file_name(name)))
        contents |= {} if file.micro is None else file.micro.sources
    for title, content in contents.items():
        if content is None:
            (directory / title).unlink(missing_ok=True)
        else:
            write_atomically(directory / title, content)
