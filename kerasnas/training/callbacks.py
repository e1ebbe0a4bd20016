"""Keras callbacks that an experiment names, for what a recipe cannot say: other logs, other stops.

They see a training as `keras.Model.fit` would show it, with three exceptions: the learning rate of
every step is the recipe's, whatever a callback sets it to; logs of a batch are its loss and
accuracy; and the validation hooks are called once each, not for every batch.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DIRECTORY = "{directory}"


class CallbackSettings(BaseModel):
    """A `keras.callbacks.Callback`, named by where it is imported from; text alone is `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        description="Import path of the class, such as keras.callbacks.CSVLogger; a module of "
        "one's own must be installed, or its directory in PYTHONPATH."
    )
    arguments: dict[str, Any] = Field(
        {},
        description="Arguments by name. {directory} in text stands for the directory of the "
        "training.",
    )

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, given: Any) -> Any:
        return {"path": given} if isinstance(given, str) else given

    @field_validator("path")
    @classmethod
    def _names_a_callback(cls, path: str) -> str:
        callback_class(path)
        return path

    @model_validator(mode="after")
    def _takes_the_arguments(self) -> CallbackSettings:
        try:
            inspect.signature(callback_class(self.path)).bind(**self.arguments)
        except TypeError as error:
            raise ValueError(f"arguments: {self.path} does not take these: {error}") from None
        return self

    def make(self, directory: Path) -> Any:
        """Return a new callback for the training in a directory."""
        return callback_class(self.path)(**_filled(self.arguments, str(directory)))


def callback_class(path: str) -> type[Any]:
    """Return the class that an import path names.

    Args:
        path: `package.module.Class`, or `package.module:Class`.

    Raises:
        ValueError: There is no such module or name, or it is no `keras.callbacks.Callback`; the
            message names the part that is wrong.
    """
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module or not name:
        raise ValueError(f"{path!r} is no import path: write package.module.Class")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a module of the user's can raise anything
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{module} cannot be imported ({reason}): install it, or put its directory into "
            "PYTHONPATH"
        ) from None
    kind = getattr(found, name, None)
    if kind is None:
        close = get_close_matches(name, dir(found), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{module} has no {name}{hint}")
    import keras

    if not (isinstance(kind, type) and issubclass(kind, keras.callbacks.Callback)):
        raise ValueError(f"{path} is no keras.callbacks.Callback, but {kind!r}")
    return kind


def make_callbacks(settings: Sequence[CallbackSettings], directory: Path) -> list[Any]:
    """Return new callbacks for the training in a directory."""
    return [each.make(directory) for each in settings]


def _filled(value: Any, directory: str) -> Any:
    if isinstance(value, str):
        return value.replace(_DIRECTORY, directory)
    if isinstance(value, dict):
        return {name: _filled(each, directory) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, directory) for each in value]
    return value
