"""A search space round the gated CNN of Li, "Audio tagging: LSTM and gated CNN", course report,
Shanghai Jiao Tong University, 2018, section 5 and figure 2.

The reference `gcnn` is a point of it; `kerasnas.models.li` says what of it the report leaves open.
Pooling leaves one frame, so that the recurrent layers run along the embedding's values, or the
bins. Without attention, the tags' scores are means over these.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Normalize, Reshape
from kerasnas.blocks.gated import ConvolutionMaxPool, GatedConvolution, GatedRecurrent
from kerasnas.blocks.recurrent import FrameMean, LocatedTags
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape
from kerasnas.models.space import PaperSettings, SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner


class LiGatedSettings(PaperSettings):
    """The space's settings in an experiment."""

    scores_alone: ClassVar[bool] = True

    space: Literal["li_gated"] = "li_gated"
    blocks: tuple[PositiveInt, ...] = Field((1, 2, 3), min_length=1, description="gated blocks")
    filters: tuple[PositiveInt, ...] = Field(
        (8, 16, 32, 64),
        min_length=1,
        description="linear outputs of a gated block, and as many gates",
    )
    kernels: tuple[PositiveInt, ...] = Field(
        (2, 3, 5), min_length=1, description="height and width of all convolutions"
    )
    pooled_filters: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 256), min_length=1, description="of the two convolutions with max pooling"
    )
    units: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 128), min_length=1, description="of each recurrent layer, in each direction"
    )
    attention: tuple[bool, ...] = Field(
        (True, False),
        min_length=1,
        description="whether the tags' scores are weighed by where each tag is",
    )
    normalize: bool | None = Field(
        None,
        description="standardise every bin; by default features of (frames, bins, channels), not "
        "embeddings of (frames, values)",
    )

    @model_validator(mode="after")
    def _check(self) -> LiGatedSettings:
        if sorted(set(self.blocks)) != list(self.blocks):
            raise ValueError(f"blocks must be rising numbers, not {self.blocks}")
        return self

    @classmethod
    def starter(cls, classes: int, budget: int) -> str:
        """See `PaperSettings.starter`."""
        return """\
blocks: [1, 2]
filters: [4, 8]
kernels: [3]
pooled_filters: [16, 32]
units: [16, 32, 64]
"""

    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> LiGatedSpace:
        """See `PaperSettings`."""
        return LiGatedSpace(input_shape, classes, output, self)


@dataclass(frozen=True)
class LiGatedSpace(SearchSpace):
    """Gated blocks, two convolutions with max pooling, gated recurrent layers, tags.

    Genes: `blocks`, `blockN_filters` where there are as many blocks, `kernel`, `pooled_filters`,
    `units`, `attention`.

    Attributes:
        input_shape: `(frames, values)` of embeddings, or `(frames, bins, channels)`.
    """

    references: ClassVar[Mapping[str, Values]] = {
        "gcnn": MappingProxyType(
            {
                "blocks": 2,
                "block1_filters": 64,
                "block2_filters": 64,
                "kernel": 2,
                "pooled_filters": 256,
                "units": 128,
                "attention": True,
            }
        )
    }
    settings: LiGatedSettings = field(default_factory=LiGatedSettings)

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene."""
        settings = self.settings
        hp.Choice("blocks", list(settings.blocks))
        for index in range(1, settings.blocks[-1] + 1):
            with hp.conditional_scope("blocks", [n for n in settings.blocks if n >= index]):
                hp.Choice(f"block{index}_filters", list(settings.filters))
        hp.Choice("kernel", list(settings.kernels))
        hp.Choice("pooled_filters", list(settings.pooled_filters))
        hp.Choice("units", list(settings.units))
        hp.Choice("attention", list(settings.attention))

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        if self.output != "sigmoid":
            raise KerasnasError(
                "the network gcnn gives every class a score of its own: set training.final.loss to "
                "binary_crossentropy, or data.multi_label"
            )
        frames, bins = self.input_shape[:2]
        channels = len(self.input_shape) == 3
        size = int(values["kernel"])
        kernel, pooled = (size, size), int(values["pooled_filters"])
        given = self.settings.normalize
        blocks: list[Block] = [Normalize()] if (channels if given is None else given) else []
        if not channels:
            blocks.append(Reshape((frames, bins, 1)))
        blocks += [
            *(
                GatedConvolution(int(values[f"block{index}_filters"]), kernel)
                for index in range(1, int(values["blocks"]) + 1)
            ),
            ConvolutionMaxPool(pooled, kernel, pool_size=(2, 1)),
            ConvolutionMaxPool(pooled, kernel, pool_size=(frames // 2, 1)),
            Reshape((bins, pooled)),
            GatedRecurrent(int(values["units"])),
            LocatedTags(self.classes) if values["attention"] else FrameMean(self.classes),
        ]
        return Architecture(self.input_shape, tuple(blocks))
