"""Opening `.keras` files, and what a model has to be so that it can be exported."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExportError
from ..process.quiet import quiet
from .private import flat_layers

if TYPE_CHECKING:
    import keras


def load_keras(path: Path) -> keras.Model:
    """Open a `.keras` file from anywhere: nothing in it is executed (`safe_mode`).

    A model that was trained in mixed precision computes in float32, as its files will.

    Raises:
        ExportError: The file is missing or damaged, or needs code that is not Keras's own.
    """
    with quiet():
        import keras

    if not path.is_file():
        raise ExportError(f"{path} does not exist: give a .keras file")
    if not zipfile.is_zipfile(path):
        raise ExportError(f"{path} is damaged, or no .keras file: save the model again")
    try:
        with quiet():
            model = _in_float32(keras.saving.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises what the damaged part happens to raise
        raise ExportError(
            f"{path} cannot be opened: {_first_line(error)} Save the model again, from stock "
            "layers in a functional model."
        ) from None
    model.compile(jit_compile=False)  # predicting through XLA is a loss on CPUs
    return model


def check_model(model: keras.Model, name: str) -> None:
    """Refuse what cannot be exported.

    Args:
        model: A Keras model.
        name: What to call it in messages.

    Raises:
        ExportError: The model is subclassed, has several inputs or outputs, an input of unknown
            size, an output that is no vector of scores, or weights that are not finite.
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
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs: one of each can be "
            "exported; join them inside the model"
        )
    shape = tuple(inputs[0].shape[1:])
    if None in shape:
        raise ExportError(
            f"{name} has an input of unknown size {shape}: build it with a fixed "
            "keras.Input(shape=...)"
        )
    if len(outputs[0].shape) != 2:
        raise ExportError(
            f"{name} has an output of shape {tuple(outputs[0].shape)}: (None, classes) is needed"
        )
    for weight in model.weights:
        values = weight.numpy()
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ExportError(
                f"{name} has weights that are not finite, in {weight.path}: train it again, with "
                "a lower learning rate"
            )


def _in_float32(model: keras.Model) -> keras.Model:
    """A model whose layers compute in float32, as few operators of a runtime know others."""
    if all(layer.compute_dtype == "float32" for layer in [model, *flat_layers(model)]):
        return model
    copy = type(model).from_config(_with_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(config: Any) -> Any:
    """A configuration of Keras in which all data types are float32."""
    if isinstance(config, list | tuple):
        return type(config)(map(_with_float32, config))
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config | {"config": {"name": "float32"}}
    return {key: _with_float32(value) for key, value in config.items()}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
