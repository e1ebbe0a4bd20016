"""TFLearn's `layers.conv` is out of scope: each of its layers is named with Keras's counterpart."""

from __future__ import annotations

from typing import Any

from kerasnas.baselines.absent import counterpart


def __getattr__(name: str) -> Any:
    """Refuse a layer by name.

    Raises:
        ImportError: Always, so that `from ... import conv_2d` shows the counterpart.
    """
    if name.startswith("__"):
        raise AttributeError(name)
    raise ImportError(counterpart(name, __name__))
