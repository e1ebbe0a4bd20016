"""Wu & Lee, "Searching for efficient network architectures for acoustic scene classification",
DCASE 2020: search space (section 3.2, tables 1 and 2), named models (table 3), and by name what
table 4 compares them with (`kerasnas.models.comparison`).

Deviations, each an option or named here: the input is standardised inside the network; `model_a`
has the 3x3 first module that table 3 prints, `model_a_5x5` the 5x5 one that the paper's own size
arithmetic asks for; stem stride and activation follow the paper's text (1, swish), and the
authors' published code (2, ReLU; filters in multiples of 4) through the settings; `pooling:
statistics`, `texture` and `causal` are not theirs.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import (
    Dense,
    DepthwiseSeparable,
    Dropout,
    GlobalAveragePool,
    Identity,
    InvertedResidual,
    Normalize,
    Pool,
    StatisticsPool,
    Stem,
)
from kerasnas.blocks.texture import TextureScores
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape
from kerasnas.models import comparison
from kerasnas.models.space import Causal, PaperSettings, SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner

_MODULES = ("identity", "dsc3", "dsc5", "ir3", "ir5")
_KERNELS = {"3": (3, 3), "5": (5, 5)}
_TEXTURE_BYTES = 1200  # for each class, in float16


class WuLeeSettings(PaperSettings):
    """The space's settings in an experiment; the defaults are the paper's."""

    large: ClassVar[bool] = True

    space: Literal["wu_lee"] = "wu_lee"
    blocks: tuple[int, ...] = Field((2, 3, 4), min_length=1, description="numbers of blocks")
    stem_filters: tuple[int, int] = Field((4, 128), description="fewest and most stem filters")
    stem_filters_step: int = Field(1, ge=1, description="4 in the authors' code")
    stem_strides: tuple[int, int] = Field((1, 1), description="(2, 2) in the authors' code")
    stem_activation: Literal["silu", "relu"] = "silu"
    growth: tuple[float, ...] = Field((1.0, 1.25, 1.5, 1.75, 2.0), min_length=1)
    pooling: Literal["mean", "statistics"] = Field(
        "mean",
        description="what the last layer reads: the mean of every channel, as in the paper, or "
        "also how far each block's output varies over time (statistics)",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped before the last layer")
    texture: bool = Field(
        False,
        description="average the network's scores with scores that are read from statistics of the "
        "input over time, fitted when the network is trained; learning curves show the network "
        "alone; the networks of other papers (`mobilenet_v1`, …) are left as they are",
    )
    causal: Causal = False

    @model_validator(mode="after")
    def _check(self) -> WuLeeSettings:
        low, high = self.stem_filters
        if not 1 <= low <= high:
            raise ValueError(f"stem_filters must rise from at least 1, not {self.stem_filters}")
        if sorted(set(self.blocks)) != list(self.blocks) or self.blocks[0] < 1:
            raise ValueError(f"blocks must be rising numbers from 1, not {self.blocks}")
        if self.causal and self.pooling == "statistics":
            raise ValueError(
                "causal: pooling: statistics compares frames with the mean over the whole clip, "
                "and looks ahead; set pooling: mean"
            )
        if self.causal and self.texture:
            raise ValueError(
                "causal: texture reads statistics of the whole clip, and looks ahead; set "
                "texture: false"
            )
        return self

    @classmethod
    def starter(cls, classes: int, budget: int) -> str:
        """See `PaperSettings.starter`."""
        text = """\
stem_strides: [2, 2]
stem_filters: [8, 32]  # wider stems take most of the time
pooling: statistics
"""
        if _TEXTURE_BYTES * classes <= budget / 4:
            text += "texture: true  # also reads statistics over time, as a baseline does\n"
        return text

    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> WuLeeSpace:
        """See `PaperSettings`."""
        return WuLeeSpace(input_shape, classes, output, self)


def _values(stem: int, growth: float, *blocks: tuple[str, str, str]) -> Values:
    values: dict[str, Any] = {"blocks": len(blocks), "stem_filters": stem, "growth": growth}
    for index, (module_a, module_b, pooling) in enumerate(blocks, 1):
        values[f"block{index}_module_a"] = module_a
        values[f"block{index}_module_b"] = module_b
        values[f"block{index}_pooling"] = pooling
    return MappingProxyType(values)


@dataclass(frozen=True)
class WuLeeSpace(SearchSpace):
    """Stem, two to four blocks of one or two modules and a pooling, global pooling, dense.

    Genes: `blocks`, `stem_filters`, `growth`, and for every block `blockN_module_a` (identity,
    dsc3, dsc5, ir3, ir5), `blockN_module_b` (no identity) and `blockN_pooling`. Every choice is
    equally probable. Module A keeps the width, module B multiplies it by the growth ratio and
    rounds down.
    """

    references: ClassVar[Mapping[str, Values]] = {
        "model_a": _values(76, 1.75, ("ir3", "dsc3", "average"), ("dsc5", "dsc5", "max")),
        "model_a_5x5": _values(76, 1.75, ("ir5", "dsc3", "average"), ("dsc5", "dsc5", "max")),
        "model_b": _values(
            64,
            1.0,
            ("identity", "ir3", "average"),
            ("identity", "dsc3", "average"),
            ("dsc5", "dsc3", "average"),
            ("ir3", "dsc3", "average"),
        ),
    }
    settings: WuLeeSettings = field(default_factory=WuLeeSettings)

    @property
    def reference_names(self) -> tuple[str, ...]:
        """The paper's models, then what table 4 compares them with, none of which is causal."""
        return (*self.references, *(() if self.causal else comparison.NETWORKS))

    def reference(self, name: str) -> Architecture:
        """Return a named network; those of `models.comparison` are no points of the space."""
        if name not in comparison.NETWORKS:
            return super().reference(name)
        if self.causal:
            raise KerasnasError(
                f"{name} is another paper's network and looks ahead: leave model.causal at false "
                f"for it, or take {', '.join(self.references)}"
            )
        blocks = comparison.NETWORKS[name](self.classes, self.output)
        return Architecture(self.input_shape, (Normalize(), *blocks))

    def __post_init__(self) -> None:
        for size, stride, name in zip(
            self.input_shape, self.settings.stem_strides, ("frames", "bins"), strict=False
        ):
            deepest = self.settings.blocks[-1]
            least = stride * (2**deepest - 1) + 1  # of the last stride, its first place
            if self.causal and name == "frames":
                least = stride * 2**deepest
            if size < least:
                raise KerasnasError(
                    f"{size} {name} are too few for a stem stride of {stride} and {deepest} "
                    f"poolings: at least {least} are needed; change the "
                    "features, model.stem_strides or model.blocks"
                )

    @property
    def causal(self) -> bool:
        """See `SearchSpace`."""
        return self.settings.causal

    @property
    def headline_gene(self) -> str:
        """See `SearchSpace`."""
        return "growth"

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene; those of block N exist where `blocks` is at least N."""
        low, high = self.settings.stem_filters
        hp.Choice("blocks", list(self.settings.blocks))
        hp.Int("stem_filters", low, high, step=self.settings.stem_filters_step)
        hp.Choice("growth", list(self.settings.growth))
        for index in range(1, self.settings.blocks[-1] + 1):
            with hp.conditional_scope("blocks", [n for n in self.settings.blocks if n >= index]):
                hp.Choice(f"block{index}_module_a", list(_MODULES))
                hp.Choice(f"block{index}_module_b", list(_MODULES[1:]))
                hp.Choice(f"block{index}_pooling", ["average", "max"])

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        filters = int(values["stem_filters"])
        stem = Stem(
            filters, strides=self.settings.stem_strides, activation=self.settings.stem_activation
        )
        body: list[Block] = []
        for index in range(1, values["blocks"] + 1):
            body.append(_module(values[f"block{index}_module_a"], filters))
            filters = int(values["growth"] * filters)
            body.append(_module(values[f"block{index}_module_b"], filters))
            body.append(Pool(values[f"block{index}_pooling"]))
        if self.settings.pooling == "statistics":
            body = [StatisticsPool(tuple(body))]
        else:
            body.append(GlobalAveragePool())
        dropout = [Dropout(self.settings.dropout)] if self.settings.dropout else []
        network = (Normalize(), stem, *body, *dropout)
        if self.settings.texture:
            scores = TextureScores(network, self.classes, self.output)
            return Architecture(self.input_shape, (scores,))
        blocks = (*network, Dense(self.classes, self.output))
        return Architecture(self.input_shape, blocks, self.causal)


def _module(name: str, filters: int) -> Block:
    if name == "identity":
        return Identity()
    family, kernel = name[:-1], _KERNELS[name[-1]]
    return (DepthwiseSeparable if family == "dsc" else InvertedResidual)(filters, kernel)
