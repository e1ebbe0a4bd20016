"""KerasTuner's lock round an oracle's methods, given back whatever happens."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import keras_tuner


class Locked(Protocol):
    """An oracle with a lock of its own."""

    _mutex: threading.RLock


Self = TypeVar("Self", bound=Locked)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def guarded(
    method: Callable[Concatenate[Self, Arguments], Result],
) -> Callable[Concatenate[Self, Arguments], Result]:
    """Return a method as by `keras_tuner.synchronized`, whose lock no exception leaves held.

    KerasTuner tells threads apart by name and never releases on an exception; hence the oracle's
    own lock inside, and the pair that is returned through KerasTuner's.
    """

    @keras_tuner.synchronized
    def locked(
        self: Self, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> tuple[list[Result], BaseException | None]:
        try:
            with self._mutex:
                return [method(self, *args, **kwargs)], None
        except BaseException as error:  # raised again below, interrupts too
            return [], error

    @functools.wraps(method)
    def outer(self: Self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        result, error = locked(self, *args, **kwargs)
        if error is not None:
            raise error
        return result[0]

    return outer
