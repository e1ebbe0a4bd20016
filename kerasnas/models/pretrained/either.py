"""A search over two spaces: networks that begin with a pretrained trunk, and from scratch.

Which is better is not known before: it depends on the recordings. The gene `start` chooses, and
validation clips judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.space import SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner

START, TRUNK, SCRATCH = "start", "trunk", "scratch"
"""The gene that chooses, and its values."""
_TWENTIETHS = 20


@dataclass(frozen=True)
class EitherSpace(SearchSpace):
    """Gene `start`, and the genes of the space that it chooses.

    Attributes:
        pretrained: Candidates of `start: trunk`.
        scratch: Candidates of `start: scratch`.
        share: Of the latter among candidates drawn at random, to a twentieth.
    """

    pretrained: PretrainedSpace = field(kw_only=True)
    scratch: SearchSpace = field(kw_only=True)
    share: float = field(kw_only=True)

    @property
    def headline_gene(self) -> str:
        """See `SearchSpace`."""
        return START

    @property
    def references(self) -> Mapping[str, Values]:
        """The named networks of the space from scratch."""
        named = self.scratch.references.items()
        return {name: {START: SCRATCH, **values} for name, values in named}

    @property
    def reference_names(self) -> tuple[str, ...]:
        """See `SearchSpace`."""
        return self.scratch.reference_names

    def reference(self, name: str) -> Architecture:
        """See `SearchSpace`."""
        return self.scratch.reference(name)

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene; a value of `start` occurs as often as its share asks for."""
        share = Fraction(round(self.share * _TWENTIETHS), _TWENTIETHS)
        rest = share.denominator - share.numerator
        hp.Choice(START, [TRUNK] * rest + [SCRATCH] * share.numerator)
        for value, space in ((TRUNK, self.pretrained), (SCRATCH, self.scratch)):
            with hp.conditional_scope(START, [value]):
                space.define(hp)

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        start = values.get(START)
        if start not in (TRUNK, SCRATCH):
            raise KerasnasError(f"{START} is {start}: it can be {TRUNK}, {SCRATCH}")
        return (self.pretrained if start == TRUNK else self.scratch).architecture(values)


def pretrained_part(space: SearchSpace, values: Values) -> PretrainedSpace | None:
    """Return the space of a candidate that begins with a trunk; None of one from scratch."""
    if isinstance(space, EitherSpace):
        return space.pretrained if values.get(START) == TRUNK else None
    return space if isinstance(space, PretrainedSpace) else None
