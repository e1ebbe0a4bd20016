"""Search space `pretrained`: where a network from a file is cut, how its last blocks are pruned,
and what reads its activations.

There is no paper; the parts are known: probes on frozen activations (Alain & Bengio 2016), channel
pruning with a refitted next layer (He et al. 2017), statistics pooling (Snyder et al. 2018).
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kerasnas.blocks.architecture import Architecture, SizeRule
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Pool
from kerasnas.blocks.recurrent import FlattenBins, Gru
from kerasnas.blocks.statistics import STATISTICS, StatisticsScores
from kerasnas.blocks.trunk import Convolution, Depthwise, Separable
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained.file import PretrainedFile, read
from kerasnas.models.pretrained.prune import can_prune
from kerasnas.models.pretrained.settings import Head, PretrainedSettings
from kerasnas.models.pretrained.trunk import Trunk
from kerasnas.models.space import SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner


@dataclass(frozen=True)
class TrunkChoice:
    """What the values of a candidate choose.

    Attributes:
        cut: Number of the trunk's last block.
        keep: Channels that each block behind the unpruned ones keeps.
        head: What reads the activations.
        new_block: Whether a new block stands before it.
    """

    cut: int
    keep: tuple[int, ...]
    head: Head
    new_block: bool

    @property
    def trains(self) -> bool:
        """Whether the candidate has layers that are trained with gradients."""
        return self.new_block or self.head != "linear"


@dataclass(frozen=True)
class PretrainedSpace(SearchSpace):
    """Blocks of a file up to a cut, pruned, and a head.

    Genes: `cut`; `keepN` for each block N behind the unpruned ones, where the cut is not before
    it; `statistics` and `parts` of heads that read them; `head`; `units` of heads that have some;
    `new_block`. Values may leave out a gene of one option.
    """

    settings: PretrainedSettings = field(kw_only=True)

    def __post_init__(self) -> None:
        known = self.settings.sha256
        if known is not None and known != self.file.sha256:
            raise KerasnasError(
                f"{self.settings.file} is another file than the one that the experiment was begun "
                f"with: its SHA-256 is {self.file.sha256}, not {known}; put that one back, or "
                "leave model.sha256 out and begin another run"
            )
        wrong = sorted(set(self.settings.cuts or ()) - set(self.file.trunk.cuts))
        if wrong:
            raise KerasnasError(
                f"model.cuts: {', '.join(map(str, wrong))}: {self.settings.file} can be cut behind "
                f"{', '.join(map(str, self.file.trunk.cuts))}"
            )
        self.trunk  # noqa: B018 - it refuses other bins, now rather than later

    @cached_property
    def file(self) -> PretrainedFile:
        """The file, read."""
        return read(self.settings.file)

    @cached_property
    def trunk(self) -> Trunk:
        """All blocks up to the last cut, on the input of this space."""
        return self.file.trunk.cut(self.cuts[-1]).on(self.input_shape)

    @property
    def cuts(self) -> tuple[int, ...]:
        """Blocks behind which the trunk may end, in order."""
        return tuple(sorted(self.settings.cuts or self.file.trunk.cuts))

    @property
    def unpruned(self) -> int:
        """Number of the first blocks, which keep all channels in every candidate."""
        if self.settings.unpruned is not None:
            return min(self.settings.unpruned, self.cuts[0])
        return self.cuts[0]

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene."""
        hp.Choice("cut", list(self.cuts))
        for number in self._prunable():
            with hp.conditional_scope("cut", [cut for cut in self.cuts if cut >= number]):
                hp.Choice(f"keep{number}", sorted(self.settings.shares, reverse=True))
        hp.Choice("head", list(self.settings.heads))
        reading = [head for head in self.settings.heads if head in ("linear", "hidden")]
        if reading:
            with hp.conditional_scope("head", reading):
                hp.Choice("statistics", [_joined(names) for names in self.settings.statistics])
                hp.Choice("parts", list(self.settings.parts))
        having = [head for head in self.settings.heads if head != "linear"]
        if having:
            with hp.conditional_scope("head", having):
                hp.Choice("units", list(self.settings.units))
        if self.settings.new_block:
            hp.Boolean("new_block")

    def _prunable(self) -> list[int]:
        """Numbers of the blocks whose channels have a gene."""
        numbers = range(self.unpruned + 1, len(self.trunk.blocks) + 1)
        return [number for number in numbers if can_prune(self.trunk, number - 1)]

    def choice(self, values: Values) -> TrunkChoice:
        """Return what values choose, of the trunk and in general.

        Raises:
            KerasnasError: A value is missing, or is none of the options.
        """
        cut = _value(values, "cut", self.cuts)
        prunable = self._prunable()
        keep = []
        for number in range(self.unpruned + 1, cut + 1):
            channels, share = self.trunk.shapes[number - 1][-1], 1.0
            if number in prunable:
                share = _value(values, f"keep{number}", self.settings.shares)
            keep.append(max(1, round(share * channels)))
        new_block = bool(values.get("new_block", False)) and self.settings.new_block
        return TrunkChoice(cut, tuple(keep), _value(values, "head", self.settings.heads), new_block)

    def head(self, values: Values) -> tuple[Block, ...]:
        """Return the blocks that read the trunk's activations and give the scores."""
        kind = _value(values, "head", self.settings.heads)
        if kind in ("linear", "hidden"):
            names = {_joined(names): names for names in self.settings.statistics}
            chosen = names[_value(values, "statistics", tuple(names))]
            parts = _value(values, "parts", self.settings.parts)
            hidden = _value(values, "units", self.settings.units) if kind == "hidden" else 0
            return (self._scores(chosen, parts, hidden),)
        units, cut = _value(values, "units", self.settings.units), self.choice(values).cut
        bins = self.trunk.shapes[cut - 1][1]
        over_bins = () if bins == 1 else (Pool("average", (1, bins)),)
        if kind == "convolution":
            over_time = Convolution(units, (5, 1), activation="relu")
            return (*over_bins, over_time, self._scores(("mean", "maximum"), 1, 0))
        recurrent = Gru(units, bidirectional=True, return_sequences=False)
        return (*over_bins, FlattenBins(), recurrent, Dense(self.classes, self.output))

    def _scores(self, statistics: tuple[str, ...], parts: int, hidden: int) -> StatisticsScores:
        return StatisticsScores(
            self.classes, self.output, statistics, self.settings.window, parts, hidden
        )

    def readings(self) -> tuple[StatisticsScores, ...]:
        """Return one head for each number of parts, which reads all statistics on offer."""
        asked = {name for names in self.settings.statistics for name in names}
        names = tuple(name for name in STATISTICS if name in asked)
        return tuple(self._scores(names, parts, 0) for parts in self.settings.parts)

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        choice = self.choice(values)
        kept = self.trunk.blocks[: self.unpruned]
        pruned = [
            _narrowed(block, count)
            for block, count in zip(
                self.trunk.blocks[self.unpruned : choice.cut], choice.keep, strict=True
            )
        ]
        return Architecture(self.input_shape, (*kept, *pruned, *self.behind(values)))

    def least_bytes(self, rule: SizeRule) -> int:
        """Return the bytes of the smallest candidate with a linear head at the last cut."""
        least = {f"keep{number}": min(self.settings.shares) for number in self._prunable()}
        names = min(self.settings.statistics, key=len)
        head = self._scores(names, min(self.settings.parts), 0)
        smallest = replace(self, settings=self.settings.model_copy(update={"heads": ("linear",)}))
        values = {"cut": self.cuts[-1], **least, "statistics": _joined(names), "parts": head.parts}
        return smallest.architecture(values).size(rule)

    def behind(self, values: Values) -> tuple[Block, ...]:
        """Return what stands behind the cut: a new block, if one does, and the head."""
        choice = self.choice(values)
        if not choice.new_block:
            return self.head(values)
        last = choice.keep[-1] if choice.keep else self.trunk.shapes[choice.cut - 1][-1]
        new = Separable(Depthwise(), Convolution(last, (1, 1)))
        return (new, *self.head(values))


def _narrowed(block: Block, filters: int) -> Block:
    if isinstance(block, Separable):
        return replace(block, pointwise=replace(block.pointwise, filters=filters))
    if isinstance(block, Convolution):
        return replace(block, filters=filters)
    return block


def _joined(names: tuple[str, ...]) -> str:
    return "+".join(names)


def _value(values: Mapping[str, Any], gene: str, options: tuple[Any, ...]) -> Any:
    if gene not in values and len(options) == 1:
        return options[0]
    if values.get(gene) not in options:
        raise KerasnasError(
            f"{gene} is {values.get(gene, 'missing')}: it can be {', '.join(map(str, options))}"
        )
    return values[gene]
