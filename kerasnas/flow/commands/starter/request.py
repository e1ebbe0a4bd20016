"""What a user asks of a starter experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasnas.blocks.architecture import SizeRule
from kerasnas.export.network.ops import Shape
from kerasnas.models.papers import PAPERS_BY_NAME
from kerasnas.models.space import PaperSettings

# Below some such size in bytes the scales in an int8 file outweigh its smaller weights.
_SMALL = 50_000


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes:
        budget: Bytes that each exported file may have.
        space: Name of the search space, of one of the papers.
        oracle: Name of the oracle.
        supernet: Whether candidates inherit their weights from a supernet.
        pretrained: File that four of five candidates begin with; `space` is that of the others.
        cuts: Blocks behind which its trunk may end.
        input_shape: Frames, bins and channels of its features.
    """

    budget: int
    space: str
    oracle: str
    supernet: bool
    pretrained: Path | None = None
    cuts: tuple[int, ...] = ()
    input_shape: Shape = (0, 0, 0)

    @property
    def paper(self) -> type[PaperSettings]:
        """The settings of the search space."""
        return PAPERS_BY_NAME[self.space]


def size_rule(budget: int) -> SizeRule:
    """Return how the larger of the two files is counted that have to keep a budget."""
    return "float16_file" if budget > _SMALL else "int8_file"
