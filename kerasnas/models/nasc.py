"""Li et al., "Neural architecture search on acoustic scene classification", Interspeech 2020: the
search space (section 2.2.1) round their baseline (section 2.1).

A stem, 20 inverted bottlenecks with kernels along time and along frequency in turn, one convolution
over all bins that are left, two GRU layers, two dense layers. A bottleneck's kernel size and
expansion are searched, its filters and strides are fixed.

What the paper leaves open: filters, strides and units stand in figure 1 alone, which is not in the
text. The defaults are a **stand-in**: they meet table 1's 3.31 M parameters and 2.03 G
multiply-accumulates and put the large downsampling on layer 17; other networks meet them, too.
ReLU6 is MobileNetV2's, the second GRU layer hands on its last states, and the input is standardised
inside the network (the paper names no normalisation). A gene's values are named (`e6k3`), where the
paper counts from 1 to 6: `chromosome` reads its way. `causal` and `bidirectional: false` are not
theirs.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Dropout, GlobalAveragePool, Normalize, Pool, Stem
from kerasnas.blocks.recurrent import FlattenBins, Gru
from kerasnas.blocks.unidirectional import UnidirectionalBottleneck
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape
from kerasnas.models.choices import ChoiceSpace, Options
from kerasnas.models.space import Causal, PaperSettings, Values

_ACTIVATION = "relu6"


class Stage(BaseModel):
    """Bottlenecks of the same filters; the first one has the strides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filters: PositiveInt = Field(description="of every bottleneck's output")
    layers: PositiveInt = Field(description="bottlenecks")
    strides: tuple[PositiveInt, PositiveInt] = Field((1, 1), description="frames, bins")
    expansions: tuple[PositiveInt, ...] = Field((3, 6), min_length=1)
    kernel_sizes: tuple[PositiveInt, ...] = Field((3, 5, 7), min_length=1)


_STAGES = (
    Stage(filters=32, layers=2, strides=(2, 2)),
    Stage(filters=40, layers=5),
    Stage(filters=48, layers=3, strides=(1, 2)),
    Stage(filters=80, layers=4),
    Stage(filters=96, layers=2),
    Stage(filters=128, layers=1, strides=(1, 2), expansions=(3, 6, 8), kernel_sizes=(5, 7)),
    Stage(filters=128, layers=3),
)

# Simonyan & Zisserman, ICLR 2015, table 1, D; with batch normalisation, which they had not.
_VGG16: tuple[Block, ...] = tuple(
    block
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    for block in [*[Stem(filters, activation="relu")] * count, Pool("max")]
)


class NascSettings(PaperSettings):
    """The space's settings in an experiment; the defaults stand in for the paper's."""

    of_choices: ClassVar[bool] = True

    space: Literal["nasc"] = "nasc"
    stem_filters: int = Field(16, ge=1)
    stem_strides: tuple[PositiveInt, PositiveInt] = Field((1, 2), description="frames, bins")
    stages: tuple[Stage, ...] = Field(_STAGES, min_length=1)
    frequency_filters: int = Field(
        128, ge=1, description="of the convolution over all bins that are left"
    )
    recurrent_layers: int = Field(
        2, ge=0, description="GRU layers; 0: mean over the frames instead"
    )
    recurrent_units: int = Field(256, ge=1, description="of a GRU layer, in each direction")
    dense_units: int = Field(128, ge=1, description="of the first of two dense layers")
    bidirectional: bool = Field(
        True, description="whether GRU layers read frames backwards, too, as in the paper"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped before the last layer")
    causal: Causal = False

    @model_validator(mode="after")
    def _looks_back(self) -> NascSettings:
        if self.causal and self.bidirectional and self.recurrent_layers:
            raise ValueError(
                "causal: bidirectional GRU layers read the last frame first, and look ahead; set "
                "bidirectional: false, or recurrent_layers: 0"
            )
        return self

    @classmethod
    def starter(cls, classes: int, budget: int) -> str:
        """See `PaperSettings.starter`."""
        return """\
stem_filters: 8
stem_strides: [2, 2]
stages:
  - {filters: 12, layers: 2, strides: [2, 2]}
  - {filters: 16, layers: 3, strides: [2, 2]}
  - {filters: 24, layers: 4}
frequency_filters: 64
recurrent_layers: 0  # the mean over the frames, which costs no time
dense_units: 64
"""

    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> NascSpace:
        """See `PaperSettings`."""
        return NascSpace(input_shape, classes, output, self)


@dataclass(frozen=True)
class NascSpace(ChoiceSpace):
    """One gene for every bottleneck: `e` and its expansion, `k` and its kernel size (`e6k3`).

    Bottlenecks run along time and along frequency in turn, time first.
    """

    settings: NascSettings = field(default_factory=NascSettings)

    def __post_init__(self) -> None:
        if self.output != "softmax":
            raise KerasnasError(
                "the space nasc is for one label a clip and ends with a softmax: leave "
                "data.multi_label out, and training.candidate.loss at auto"
            )

    @property
    def reference_names(self) -> tuple[str, ...]:
        """`baseline`: what is searched round (section 2.1); `vgg`: the variant of table 1."""
        return (*self.references, "vgg")

    def reference(self, name: str) -> Architecture:
        """Return a named network.

        `baseline` has expansion 6 and kernels of 3, or what comes next where a layer has neither;
        `vgg` the convolutions of VGG16 before the same recurrent and dense layers (section 3.3).

        Raises:
            KerasnasError: There is none of that name.
        """
        if name == "vgg":
            blocks = (Normalize(), *_VGG16, *self._ending())
            return Architecture(self.input_shape, blocks, self.causal)
        return super().reference(name)

    @property
    def causal(self) -> bool:
        """See `SearchSpace`."""
        return self.settings.causal

    @property
    def references(self) -> Mapping[str, Values]:
        """Values of `baseline`'s genes."""
        values = {}
        for number, stage in enumerate(self._stages, 1):
            expansion = min(stage.expansions, key=lambda value: abs(value - 6))
            values[f"layer{number}"] = f"e{expansion}k{min(stage.kernel_sizes)}"
        return {"baseline": values}

    @property
    def _stages(self) -> list[Stage]:
        """For every bottleneck its stage."""
        return [stage for stage in self.settings.stages for _ in range(stage.layers)]

    @cached_property
    def layers(self) -> tuple[Block | Options, ...]:  # noqa: D102
        settings = self.settings
        layers: list[Block | Options] = [
            Normalize(),
            Stem(settings.stem_filters, strides=settings.stem_strides, activation=_ACTIVATION),
        ]
        bins = -(-self.input_shape[1] // settings.stem_strides[1])
        for stage in settings.stages:
            bins = -(-bins // stage.strides[1])
            for place in range(stage.layers):
                strides = stage.strides if place == 0 else (1, 1)
                layers.append(_options(stage, "frequency" if len(layers) % 2 else "time", strides))
        # A stride as long as the kernel leaves a single bin, of all that there are.
        whole = (1, bins)
        layers.append(Stem(settings.frequency_filters, whole, whole, _ACTIVATION))
        return (*layers, *self._ending())

    def _ending(self) -> list[Block]:
        """Return what follows the convolutions: recurrent and dense layers."""
        settings = self.settings
        blocks: list[Block] = []
        if settings.recurrent_layers:
            blocks.append(FlattenBins())
            for left in reversed(range(settings.recurrent_layers)):
                blocks.append(Gru(settings.recurrent_units, settings.bidirectional, left > 0))
        else:
            blocks.append(GlobalAveragePool())
        blocks.append(Dense(settings.dense_units, _ACTIVATION))
        if settings.dropout:
            blocks.append(Dropout(settings.dropout))
        return [*blocks, Dense(self.classes, self.output)]


def _options(stage: Stage, axis: Literal["time", "frequency"], strides: tuple[int, int]) -> Options:
    return {
        f"e{expansion}k{kernel}": UnidirectionalBottleneck(
            stage.filters, axis, kernel, expansion, strides, _ACTIVATION
        )
        for expansion in stage.expansions
        for kernel in stage.kernel_sizes
    }
