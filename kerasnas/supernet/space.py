"""What a supernet holds: blocks one after another, some of them a choice.

Source: Li et al., "Neural architecture search on acoustic scene classification", Interspeech 2020,
sections 2.2.1 and 2.2.2. Deviation: choices count from 0, where the paper's genes count from 1.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from json import dumps
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block, from_json
from kerasnas.blocks.recorder import Recorder
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Op, Shape

Choices = tuple[int, ...]
"""For every choice, in order, the index of the option that is taken, from 0."""


@dataclass(frozen=True)
class Choice:
    """One of these blocks: all make the same shape of the same input."""

    options: tuple[Block, ...]


class Segment(NamedTuple):
    """What stands between two places where paths part or meet.

    Attributes:
        options: The operations of every option, each beginning with an `input`; a single one where
            nothing is chosen. An option's operations have the names of `Architecture.ops` behind
            `option0.`, `option1.`, ...
    """

    options: tuple[tuple[Op, ...], ...]


@dataclass(frozen=True)
class SupernetSpace:
    """Networks that share their weights.

    Attributes:
        name: What messages call it.
        input_shape: `(frames, bins, channels)`.
        blocks: In order; every `Choice` has as many options as the others, which strict fairness
            needs.
        causal: Whether no frame is computed from later ones; see `Recorder`.

    Raises:
        KerasnasError: There is no choice, choices differ in number, or the options of one differ in
            the shape of their outputs.
    """

    name: str
    input_shape: Shape
    blocks: tuple[Block | Choice, ...]
    causal: bool = False

    def __post_init__(self) -> None:
        counts = {index: len(choice.options) for index, choice in self._choices.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            found = ", ".join(f"block {index} has {count}" for index, count in counts.items())
            raise KerasnasError(
                f"the space {self.name!r} needs the same number of options in every choice, for "
                f"each to be trained once a step; {found or 'it has no choice'}"
            )
        _ = self.segments

    def __str__(self) -> str:
        digest = sha256(dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:8]
        shape = "×".join(map(str, self.input_shape))
        return f"{self.name} ({self.layers} choices of {self.options}, input {shape}, {digest})"

    @cached_property
    def _choices(self) -> dict[int, Choice]:
        """Choices by the index of their block."""
        return {i: block for i, block in enumerate(self.blocks) if isinstance(block, Choice)}

    @property
    def layers(self) -> int:
        """Number of choices: the length of a path."""
        return len(self._choices)

    @property
    def options(self) -> int:
        """Number of options of every choice."""
        return len(next(iter(self._choices.values())).options)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Operations from the input to the output; blocks between choices stand together."""
        segments: list[Segment] = []
        shape, fixed = self.input_shape, Recorder(self.causal)
        x = None  # of the blocks since the last choice
        for index, block in enumerate(self.blocks):
            if not isinstance(block, Choice):
                if x is None:
                    fixed = Recorder(self.causal)
                    with fixed.scope(f"{index:02d}"):
                        x = fixed.input(shape)
                with fixed.scope(f"{index:02d}_{block.kind}"):
                    x = block(fixed, x)
                shape = x.shape
                continue
            if x is not None:
                segments.append(Segment((tuple(fixed.ops),)))
                x = None
            options = tuple(
                _option(number, index, option, shape, self.causal)
                for number, option in enumerate(block.options)
            )
            shapes = [ops[-1].output_shape for ops in options]
            if len(set(shapes)) > 1:
                raise KerasnasError(
                    f"the options of block {index} of the space {self.name!r} make different "
                    f"shapes of {shape}: "
                    + ", ".join(f"{number} makes {made}" for number, made in enumerate(shapes))
                    + "; give them the same filters and strides"
                )
            segments.append(Segment(options))
            shape = shapes[0]
        if x is not None:
            segments.append(Segment((tuple(fixed.ops),)))
        return tuple(segments)

    def path(self, path: Sequence[int] | NDArray[np.integer]) -> Choices:
        """Return a path as a tuple of integers.

        Raises:
            KerasnasError: Its length is wrong, or an entry is no option.
        """
        if len(path) != self.layers:
            raise KerasnasError(
                f"a path of {len(path)} entries was given: the space {self.name!r} has "
                f"{self.layers} choices"
            )
        entries = []
        for place, entry in enumerate(path):
            try:
                entries.append(operator.index(entry))
            except TypeError:
                entries.append(-1)
            if not 0 <= entries[-1] < self.options:
                raise KerasnasError(
                    f"entry {place} of a path is {entry!r}: the options of the space "
                    f"{self.name!r} are the integers 0 to {self.options - 1}"
                )
        return tuple(entries)

    def architecture(self, path: Sequence[int] | NDArray[np.integer]) -> Architecture:
        """Return the network along a path.

        Raises:
            KerasnasError: As `path`.
        """
        taken = iter(self.path(path))
        return Architecture(
            self.input_shape,
            tuple(
                block.options[next(taken)] if isinstance(block, Choice) else block
                for block in self.blocks
            ),
            self.causal,
        )

    def shared_name(self, name: str, path: Choices) -> str:
        """Name in the supernet of the operation called `name` in the architecture along `path`."""
        index = int(name.partition("_")[0])
        if index not in self._choices:
            return name
        return f"option{path[list(self._choices).index(index)]}.{name}"

    def fair_paths(self, rng: np.random.Generator) -> NDArray[np.int32]:
        """Paths of one training step (Algorithm 1), `(options, layers)`.

        In every layer each option is on exactly one of them: drawn without replacement.
        """
        options = np.tile(np.arange(self.options, dtype=np.int32), (self.layers, 1))
        return rng.permuted(options, axis=1).T

    def to_json(self) -> dict[str, Any]:
        """Name, input shape, blocks, and whether it is causal; a choice is `{"options": [...]}`."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "blocks": [
                {"options": [option.to_json() for option in block.options]}
                if isinstance(block, Choice)
                else block.to_json()
                for block in self.blocks
            ],
            "causal": self.causal,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SupernetSpace:
        """Return the space that `to_json` wrote."""
        blocks = tuple(
            Choice(tuple(from_json(option) for option in block["options"]))
            if "options" in block
            else from_json(block)
            for block in data["blocks"]
        )
        return cls(data["name"], tuple(data["input_shape"]), blocks, data["causal"])


def _option(number: int, index: int, block: Block, shape: Shape, causal: bool) -> tuple[Op, ...]:
    net = Recorder(causal)
    with net.scope(f"option{number}"), net.scope(f"{index:02d}_{block.kind}"):
        block(net, net.input(shape))
    return tuple(net.ops)
