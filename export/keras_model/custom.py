"""Layers, cells and functions that are not Keras's own, in every process that opens a model.

A `.keras` file holds their names alone. Keras finds the code by `custom_objects`, or in the
registry that `@keras.saving.register_keras_serializable` fills when a module is imported: in a
child process neither is there, so that it is told what to import.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ExportError

_CONFIGURATION = "config.json"
"""Name of the description of the model inside a `.keras` file."""
_REMEDY = "move it to a module that can be imported, at its top level"


@dataclass(frozen=True)
class CustomCode:
    """What has to be imported before a model can be opened.

    Attributes:
        modules: Names of modules whose import registers what they define.
        objects: By the name that files have for it: the module and the name in it.
    """

    modules: tuple[str, ...] = ()
    objects: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, objects: Mapping[str, Any] | None, modules: Sequence[str]) -> CustomCode:
        """Return what to import for classes and functions by the names that files have for them.

        Raises:
            ExportError: A module cannot be imported, or an object not from its module.
        """
        for name in modules:
            _import(name)
        places = (_place(name, each) for name, each in (objects or {}).items())
        return cls(tuple(modules), tuple(places))

    def with_registered(self, path: Path) -> CustomCode:
        """Return this and all that a `.keras` file needs of Keras's registry here.

        Raises:
            ExportError: Something registered cannot be imported by another process.
        """
        import keras

        registry = keras.saving.get_custom_objects()
        known = {name for name, _, _ in self.objects}
        with zipfile.ZipFile(path) as archive:
            names = sorted(set(_texts(json.loads(archive.read(_CONFIGURATION)))))
        added = (_place(n, registry[n]) for n in names if n in registry and n not in known)
        return CustomCode(self.modules, (*self.objects, *added))

    @contextmanager
    def imported(self) -> Iterator[None]:
        """Let Keras know these objects meanwhile.

        Raises:
            ExportError: A module cannot be imported.
        """
        import keras

        for name in self.modules:
            _import(name)
        found = {name: getattr(_import(module), each) for name, module, each in self.objects}
        with keras.saving.custom_object_scope(found):
            yield

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {"modules": list(self.modules), "objects": [list(each) for each in self.objects]}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> CustomCode:
        """Return what was made plain by `to_json`, in another process."""
        return cls(tuple(plain["modules"]), tuple(tuple(each) for each in plain["objects"]))


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # a module raises what it likes
        raise ExportError(
            f"the module {name!r} with custom layers cannot be imported "
            f"({type(error).__name__}: {error}): put its directory on the path of Python"
        ) from None


def _place(name: str, each: Any) -> tuple[str, str, str]:
    """Return under which name, in which module, and how it is called there, something is found."""
    module, title = getattr(each, "__module__", None), getattr(each, "__qualname__", None)
    what = f"the custom object {name!r}"
    if not isinstance(module, str) or not isinstance(title, str):
        raise ExportError(f"{what} is {each!r}: a class or function is needed")
    if module == "__main__" or "." in title:
        where = "the program itself" if module == "__main__" else f"{module}.{title}"
        raise ExportError(
            f"{what} is defined in {where}, which other processes cannot import, as those that "
            f"convert: {_REMEDY}"
        )
    if getattr(_import(module), title, None) is not each:
        raise ExportError(f"{what} is not {module}.{title}, as it calls itself: {_REMEDY}")
    return name, module, title


def _texts(configuration: Any) -> Iterator[str]:
    """Return all texts in a configuration of Keras."""
    if isinstance(configuration, str):
        yield configuration
    elif isinstance(configuration, dict):
        configuration = list(configuration.values())
    if isinstance(configuration, list):
        for each in configuration:
            yield from _texts(each)
