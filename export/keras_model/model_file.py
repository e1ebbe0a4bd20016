"""Opening `.keras` files, and what a model has to be so that it can be exported."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExportError, counted
from ..process.quiet import quiet
from .custom import CustomCode
from .private import flat_layers, is_functional

if TYPE_CHECKING:
    import keras

# What Keras says of names that it does not know; of nested ones the outermost comes last.
_UNKNOWN = re.compile(r"Could not locate (\w+) '([^']+)'")
_REGISTERED = re.compile(r"'registered_name': '([^']+)'")
LARGEST = 4_000_000_000
"""Bytes that an archive may unpack to."""
_LONGEST_LINE = 500
_LARGEST_CONFIG = 50_000_000  # bytes
_RATIO, _SLACK = 20, 10_000_000  # of unpacked bytes to packed ones, and bytes beside them


def load_keras(
    path: Path, name: str | None = None, custom: CustomCode | None = None
) -> keras.Model:
    """Open a `.keras` file from anywhere: nothing in it is executed (`safe_mode`).

    A model that was trained in mixed precision computes in float32, as its files will. An only
    input or output that stands in a dictionary or list stands alone.

    Args:
        path: The file.
        name: What to call it in messages; its path by default.
        custom: Code of layers and functions that are not Keras's own.

    Raises:
        ExportError: The file is missing or damaged, or needs code that is neither Keras's own nor
            in `custom`.
    """
    with quiet():
        import keras

    name = name or str(path)
    if not path.is_file():
        raise ExportError(f"{name} does not exist: give a .keras file")
    check_archive(path, name)
    try:
        with quiet(), (custom or CustomCode()).imported():
            model = _in_float32(keras.saving.load_model(path, compile=False, safe_mode=True))
            model = _with_plain_ends(model)
    except ExportError:  # of custom code
        raise
    except Exception as error:  # Keras raises what the damaged part happens to raise
        if "`Lambda` layer" in str(error):
            raise _no_lambda(f"{name} has a Lambda layer") from None
        if unknown := _UNKNOWN.search(str(error)):
            kind, title = unknown.groups()
            *_, title = [title, *_REGISTERED.findall(str(error))]
            raise ExportError(
                f"{name} needs the {kind} {title!r}, which is not Keras's own: give it in "
                f"custom_objects={{{title!r}: ...}} of kerasnas.export.export, or the module that "
                "registers it in modules="
            ) from None
        raise ExportError(
            f"{name} cannot be opened: {_first_line(error)} Save the model again, from stock "
            "layers in a functional model."
        ) from None
    model.compile(jit_compile=False)  # predicting through XLA is a loss on CPUs
    return model


def check_archive(path: Path, name: str) -> None:
    """Refuse an archive that would unpack to far more than it is, before anything is unpacked.

    Keras packs without compressing, and an archive's index cannot promise less than a member
    holds: what is beyond it is never read.

    Args:
        path: A `.keras` file.
        name: What to call it in messages.

    Raises:
        ExportError: It is damaged, is no archive, or is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise ExportError(f"{name} is damaged, or no .keras file: save the model again") from None
    whole = sum(member.file_size for member in members)
    limit = min(LARGEST, _RATIO * path.stat().st_size + _SLACK)
    if whole > limit:
        raise ExportError(
            f"{name} unpacks to {whole:,} bytes, where at most {limit:,} are taken: is it a model "
            "that Keras has saved?"
        )
    for member in members:
        if member.filename.endswith(".json") and member.file_size > _LARGEST_CONFIG:
            raise ExportError(
                f"{name}: its {member.filename[:60]} has {member.file_size:,} bytes, where at most "
                f"{_LARGEST_CONFIG:,} are taken: is it a model that Keras has saved?"
            )


def check_model(model: keras.Model, name: str) -> None:
    """Refuse what cannot be exported.

    Args:
        model: A Keras model.
        name: What to call it in messages.

    Raises:
        ExportError: The model is subclassed, has several inputs or outputs, an input of unknown
            size, an output that is neither scores nor scores of frames, Python code in a Lambda
            layer, a stateful layer, or weights that are not finite.
    """
    try:
        inputs, outputs = model.inputs, model.outputs
    except (AttributeError, ValueError):
        inputs = outputs = None
    if not inputs or not outputs:
        raise ExportError(
            f"{name} is a subclassed model ({type(model).__name__}), whose graph is not known: "
            "build it from layers with keras.Model(inputs, outputs)"
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(
            f"{name} has {counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}: "
            "one of each can be exported; join them inside the model"
        )
    shape = tuple(inputs[0].shape[1:])
    if None in shape:
        raise ExportError(
            f"{name} has an input of unknown size {shape}: build it with a fixed "
            "keras.Input(shape=...)"
        )
    scores = tuple(outputs[0].shape)
    if len(scores) not in (2, 3) or None in scores[1:]:
        raise ExportError(
            f"{name} has an output of shape {scores}: (None, classes) or (None, frames, classes), "
            "of known sizes, is needed"
        )
    for layer in flat_layers(model):
        _check_layer(layer, name)
    for weight in model.weights:
        values = weight.numpy()
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ExportError(
                f"{name} has weights that are not finite, in {weight.path}: train it again, with "
                "a lower learning rate"
            )


def _check_layer(layer: Any, name: str) -> None:
    if getattr(getattr(layer, "function", None), "__name__", "") == "<lambda>":
        raise _no_lambda(f"{name} has the Lambda layer {layer.name!r}")
    if getattr(layer, "stateful", False):
        raise ExportError(
            f"{name} has the stateful layer {layer.name!r}, whose scores depend on the clips "
            "before: build it with stateful=False and copy the weights"
        )


def _no_lambda(what: str) -> ExportError:
    return ExportError(
        f"{what}, whose Python code is not run from a file: replace it by functions of keras.ops "
        "or by stock layers"
    )


def _with_plain_ends(model: keras.Model) -> keras.Model:
    """Return a model whose only input and output are tensors, not dictionaries or lists of one."""
    import keras

    if isinstance(model, keras.Sequential) or not is_functional(model):
        return model
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return model
    if all(isinstance(end, keras.KerasTensor) for end in (model.input, model.output)):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _in_float32(model: keras.Model) -> keras.Model:
    """Return a model whose layers compute in float32, as few operators of a runtime know others."""
    if all(layer.compute_dtype == "float32" for layer in [model, *flat_layers(model)]):
        return model
    copy = type(model).from_config(_with_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(config: Any) -> Any:
    """Return a configuration of Keras in which all data types are float32."""
    if isinstance(config, list | tuple):
        return type(config)(map(_with_float32, config))
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config | {"config": {"name": "float32"}}
    return {key: _with_float32(value) for key, value in config.items()}


def _first_line(error: Exception) -> str:
    """Return how an error begins: some quote all of a damaged file."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[0].rstrip(".")
    return f"{line}." if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …"
