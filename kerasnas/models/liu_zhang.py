"""Liu & Zhang, "Reinforcement learning based neural architecture search for audio tagging", IJCNN
2020: search space (section 5.B), the CRNN with ATT-LOC that it starts from (figures 2 and 3), and
the networks it is compared with.

Attention is computed from each frame's features in front of the recurrent part (equation 3), and
multiplied onto these features (equation 4) and onto the frame's scores (equation 5). The paper
leaves the recurrent part open: one bidirectional GRU of 128 units by default, three in Xu et al.'s
ATT-LOC. `cgrnn` and `att_loc` follow Xu et al., "Convolutional gated recurrent neural network
incorporating spatial features for audio tagging", IJCNN 2017, and "Attention and localization based
on a deep convolutional recurrent model for weakly supervised audio tagging", Interspeech 2017: 128
filters of 30 bins, three bidirectional GRUs of 128, and for `cgrnn` 500 rectified units.

Differences of `att_loc` from the code that Xu et al. published
(`cgrnn_attention_localization_on_eval_for_audio_tagging_v2.py`):

- The input is normalised in the network, and has as many bins as the experiment says, not 40.
- The convolution pads with zeros and stands in the paper's Conv block: batch normalisation and ELU,
  then dropout; theirs has no padding and is rectified. The maximum is over all bins in both.
- Attention is computed from the convolution's features of a frame; theirs from the frame's 40
  log-mel values. Both multiply it onto these features and onto the scores.
- Localisation, a softmax over the tags, is computed behind the GRU layers; theirs in front of them.
- No dense layer of 500 rectified units, and no dropout of 0.2, in front of the tags' scores.
- Seven tags; theirs has silence as an eighth.

`cgrnn` differs in the convolution likewise.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Normalize
from kerasnas.blocks.recurrent import (
    AttentionLocalization,
    ConvolutionPool,
    FlattenBins,
    FrameMean,
    Gru,
)
from kerasnas.errors import KerasnasError, counted
from kerasnas.export.network.ops import Shape
from kerasnas.models.space import PaperSettings, SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner

Head = Literal["attention_localization", "mean"]

_XU_GRUS = (Gru(128), Gru(128), Gru(128))


class LiuZhangSettings(PaperSettings):
    """The space's settings in an experiment; the defaults are the paper's."""

    scores_alone: ClassVar[bool] = True

    space: Literal["liu_zhang"] = "liu_zhang"
    layers: int = Field(
        7, ge=1, description="Conv blocks; as many fewer as leave no bin to be halved"
    )
    filters: tuple[PositiveInt, ...] = Field((8, 16, 32, 64), min_length=1)
    heights: tuple[PositiveInt, ...] = Field(
        (1, 3, 5), min_length=1, description="of filters, in frames"
    )
    widths: tuple[PositiveInt, ...] = Field(
        (1, 3, 5), min_length=1, description="of filters, in bins"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="share dropped behind every Conv block")
    recurrent_layers: int = Field(1, ge=0, description="GRU layers behind the Conv blocks")
    recurrent_units: int = Field(128, ge=1, description="of a GRU layer, in each direction")
    bidirectional: bool = Field(True, description="whether GRU layers run both ways")
    head: Head = Field(
        "attention_localization",
        description="attention_localization: ATT-LOC; mean: of the frames' scores (equation 2)",
    )
    attention_on_features: bool = Field(
        True,
        description="ATT-LOC: compute attention from the features and multiply it onto them and "
        "onto the scores (equations 3 to 5); false: compute it behind the GRU layers and multiply "
        "it onto the scores alone",
    )

    @classmethod
    def starter(cls, classes: int, budget: int) -> str:
        """See `PaperSettings.starter`."""
        return "filters: [8, 16, 32]\nrecurrent_units: 32\n"

    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> LiuZhangSpace:
        """See `PaperSettings`."""
        return LiuZhangSpace(input_shape, classes, output, self)


def _values(*layers: tuple[int, int, int]) -> Values:
    """Values of (filters, height, width) for each layer, as the paper lists them."""
    values: dict[str, int] = {}
    for index, (filters, height, width) in enumerate(layers, 1):
        values[f"layer{index}_filters"] = filters
        values[f"layer{index}_height"] = height
        values[f"layer{index}_width"] = width
    return MappingProxyType(values)


def _of_filters(*filters: int) -> Values:
    return _values(*((number, 3, 3) for number in filters))


@dataclass(frozen=True)
class LiuZhangSpace(SearchSpace):
    """Seven Conv blocks, each halving the bins, GRU layers, attention and localisation.

    Genes: for every layer `layerN_filters`, `layerN_height` (frames) and `layerN_width` (bins), in
    this order. A layer that would find a single bin left does not exist, nor do its genes: the
    seventh for 64 and 96 bins. Values of layers that do not exist are ignored.
    """

    references: ClassVar[Mapping[str, Values]] = {
        "crnn": _of_filters(8, 16, 32, 64, 64, 64, 64),
        "nas_alpha_1_5": _of_filters(32, 32, 64, 16, 64, 64, 64),
        "nas_best": _values(
            (16, 5, 5), (32, 5, 5), (64, 3, 3), (32, 3, 3), (64, 3, 3), (64, 5, 5), (64, 3, 3)
        ),
        "table_1_row_1": _of_filters(8, 16, 32, 64, 64, 64, 64),
        "table_1_row_2": _of_filters(8, 32, 64, 16, 8, 64, 64),
        "table_1_row_3": _of_filters(16, 8, 32, 64, 32, 64, 64),
        "table_1_row_4": _of_filters(32, 64, 32, 8, 32, 64, 64),
    }
    settings: LiuZhangSettings = field(default_factory=LiuZhangSettings)

    def __post_init__(self) -> None:
        if self.output != "sigmoid":
            raise KerasnasError(
                "the space liu_zhang is for tagging, where every class has a score of its own: set "
                "training.candidate.loss and training.final.loss to binary_crossentropy, or "
                "data.multi_label"
            )
        if not self.layers:
            raise KerasnasError(
                f"{self.input_shape[1]} bins cannot be halved: the space liu_zhang needs 2 or more"
            )

    @property
    def layers(self) -> int:
        """Number of Conv blocks."""
        return min(self.settings.layers, self.input_shape[1].bit_length() - 1)

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare filters, height and width of every layer that exists."""
        for index in range(1, self.layers + 1):
            hp.Choice(f"layer{index}_filters", list(self.settings.filters))
            hp.Choice(f"layer{index}_height", list(self.settings.heights))
            hp.Choice(f"layer{index}_width", list(self.settings.widths))

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        settings = self.settings
        blocks: list[Block] = [Normalize()]
        for index in range(1, self.layers + 1):
            names = [f"layer{index}_{part}" for part in ("filters", "height", "width")]
            if missing := [name for name in names if name not in values]:
                raise KerasnasError(
                    f"{', '.join(missing)} not given: with {self.input_shape[1]} bins the space "
                    f"liu_zhang has {counted(self.layers, 'layer')}; take values of a network with "
                    "as many"
                )
            filters, height, width = (int(values[name]) for name in names)
            blocks.append(ConvolutionPool(filters, (height, width), dropout=settings.dropout))
        blocks.append(FlattenBins())
        gru = Gru(settings.recurrent_units, settings.bidirectional)
        recurrent: tuple[Block, ...] = (gru,) * settings.recurrent_layers
        if settings.head == "mean":
            blocks += [*recurrent, FrameMean(self.classes)]
        else:
            on_features = settings.attention_on_features
            blocks.append(AttentionLocalization(self.classes, recurrent, on_features))
        return Architecture(self.input_shape, tuple(blocks))

    @property
    def reference_names(self) -> tuple[str, ...]:
        """The networks of the paper's tables, then those of Xu et al."""
        return (*self.references, "cgrnn", "att_loc")

    def reference(self, name: str) -> Architecture:
        """Return a named network; `cgrnn` and `att_loc` are not points of the space."""
        on_features = self.settings.attention_on_features
        heads: dict[str, tuple[Block, ...]] = {
            "cgrnn": (*_XU_GRUS, Dense(500, "relu"), FrameMean(self.classes)),
            "att_loc": (AttentionLocalization(self.classes, _XU_GRUS, on_features),),
        }
        if name not in heads:
            return super().reference(name)
        convolution = ConvolutionPool(
            128, (1, 30), (1, self.input_shape[1]), dropout=self.settings.dropout
        )
        blocks = (Normalize(), convolution, FlattenBins(), *heads[name])
        return Architecture(self.input_shape, blocks)
