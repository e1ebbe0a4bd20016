"""What a block is, and how it is written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from kerasnas.blocks.recorder import Recorder, Tensor
from kerasnas.errors import KerasnasError


@dataclass(frozen=True)
class Block:
    """A part of a network: a frozen dataclass of JSON scalars, blocks, or tuples of them.

    A subclass names its `kind` and says once, in the recorder's primitives, what it computes.
    """

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[Block]]] = {}

    def __init_subclass__(cls) -> None:
        Block.kinds[cls.kind] = cls

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:
        """Record the block's operations on `x` and return its output."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes")

    def to_json(self) -> dict[str, Any]:
        """Return the block as `{"kind": ..., field: value, ...}`."""
        return {"kind": self.kind} | {
            field.name: _to_json(getattr(self, field.name)) for field in fields(self)
        }


def from_json(data: Mapping[str, Any]) -> Block:
    """Return the block that `to_json` wrote.

    Raises:
        KerasnasError: The kind or a field is unknown.
    """
    kind = data.get("kind")
    if kind not in Block.kinds:
        raise KerasnasError(
            f"unknown kind of block {kind!r}: one of {', '.join(sorted(Block.kinds))} was expected"
        )
    values = {name: _from_json(value) for name, value in data.items() if name != "kind"}
    try:
        return Block.kinds[kind](**values)
    except TypeError as error:
        raise KerasnasError(f"block {kind!r} does not have these fields: {error}") from None


def _to_json(value: Any) -> Any:
    if isinstance(value, Block):
        return value.to_json()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_json(value)
    if isinstance(value, list):
        return tuple(_from_json(item) for item in value)
    return value
