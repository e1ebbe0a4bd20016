"""Li, "Audio tagging: LSTM and gated CNN", course report, Shanghai Jiao Tong University, 2018:
the networks of sections 4, 5 and 7.2, and a search space round the LSTM tagger (that round the
gated CNN is `kerasnas.models.li_gated`).

What the report leaves open: hidden dense layers are rectified; the gated CNN's batch normalisation,
pool sizes and attention come from the author's code, as do its cells (GRU) and their units (128);
its pooled convolutions are rectified, as in Xu et al., ICASSP 2018. Pooling leaves one of ten
frames, so that the gated CNN's recurrent layers run along the embedding's 128 values. The report
trains with a softmax on clips of several labels; `output` is what the experiment's loss asks for.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Dropout, Flatten, Normalize
from kerasnas.blocks.recurrent import FlattenBins, Gru, Lstm
from kerasnas.export.network.ops import Shape
from kerasnas.models.li_gated import LiGatedSettings, LiGatedSpace
from kerasnas.models.space import PaperSettings, SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner


class LiSettings(PaperSettings):
    """The space's settings in an experiment."""

    softmax_for_tags: ClassVar[bool] = True

    space: Literal["li"] = "li"
    layers: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="recurrent layers")
    units: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 128, 256, 512), min_length=1, description="of a recurrent layer"
    )
    cells: tuple[Literal["lstm", "gru"], ...] = Field(("lstm", "gru"), min_length=1)
    summaries: tuple[Literal["flatten", "last"], ...] = Field(
        ("flatten", "last"),
        min_length=1,
        description="flatten: all frames of the last recurrent layer; last: its last frame",
    )
    dense_layers: tuple[int, ...] = Field(
        (0, 1, 2), min_length=1, description="rectified dense layers before the last one"
    )
    dense_units: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 256, 512, 1024, 2048), min_length=1, description="of such a dense layer"
    )
    dropout: tuple[float, ...] = Field(
        (0.0, 0.1, 0.2, 0.3, 0.5),
        min_length=1,
        description="shares dropped behind every recurrent and every rectified dense layer",
    )
    normalize: bool | None = Field(
        None,
        description="standardise every bin; by default features of (frames, bins, channels), not "
        "embeddings of (frames, values)",
    )

    @model_validator(mode="after")
    def _check(self) -> LiSettings:
        for name, low in (("layers", 1), ("dense_layers", 0)):
            numbers = getattr(self, name)
            if sorted(set(numbers)) != list(numbers) or numbers[0] < low:
                raise ValueError(f"{name} must be rising numbers from {low}, not {numbers}")
        if not all(0 <= rate < 1 for rate in self.dropout):
            raise ValueError(f"dropout must be shares below 1, not {self.dropout}")
        return self

    @classmethod
    def starter(cls, classes: int, budget: int) -> str:
        """See `PaperSettings.starter`."""
        return """\
layers: [1, 2]
units: [16, 32, 64, 128]
summaries: [last]  # the dense layers behind all frames would not fit
dense_layers: [0, 1]
dense_units: [32, 64, 128]
"""

    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> LiSpace:
        """See `PaperSettings`."""
        return LiSpace(input_shape, classes, output, self)


@dataclass(frozen=True)
class LiSpace(SearchSpace):
    """Recurrent layers, their outputs flattened or the last one, dense layers.

    Genes: `cell`, `layers`, `layerN_units`, `summary`, `dense_layers`, `denseN_units`, `dropout`.
    Those of layer N exist where there are as many layers.

    Attributes:
        input_shape: `(frames, values)` of embeddings, or `(frames, bins, channels)`.
    """

    references: ClassVar[Mapping[str, Values]] = {
        "lstm": MappingProxyType(
            {
                "cell": "lstm",
                "layers": 3,
                "layer1_units": 512,
                "layer2_units": 256,
                "layer3_units": 128,
                "summary": "flatten",
                "dense_layers": 2,
                "dense1_units": 2048,
                "dense2_units": 1024,
                "dropout": 0.0,
            }
        )
    }
    settings: LiSettings = field(default_factory=LiSettings)

    @property
    def headline_gene(self) -> str:
        """See `SearchSpace`."""
        return "cell"

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene; those of layer N exist where there are as many layers."""
        settings = self.settings
        hp.Choice("cell", list(settings.cells))
        for count, name, numbers, units in (
            ("layers", "layer", settings.layers, settings.units),
            ("dense_layers", "dense", settings.dense_layers, settings.dense_units),
        ):
            hp.Choice(count, list(numbers))
            for index in range(1, numbers[-1] + 1):
                with hp.conditional_scope(count, [n for n in numbers if n >= index]):
                    hp.Choice(f"{name}{index}_units", list(units))
        hp.Choice("summary", list(settings.summaries))
        hp.Choice("dropout", list(settings.dropout))

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        layers, dense_layers = int(values["layers"]), int(values["dense_layers"])
        rate = float(values["dropout"])
        flatten = values["summary"] == "flatten"
        dropout = [Dropout(rate)] if rate else []
        blocks = self._frames()
        for index in range(1, layers + 1):
            units, sequences = int(values[f"layer{index}_units"]), flatten or index < layers
            cell = Lstm if values["cell"] == "lstm" else Gru
            blocks += [cell(units, False, sequences), *dropout]
        if flatten:
            blocks.append(Flatten())
        for index in range(1, dense_layers + 1):
            blocks += [Dense(int(values[f"dense{index}_units"]), "relu"), *dropout]
        return self._ending(blocks)

    @property
    def reference_names(self) -> tuple[str, ...]:
        """The report's LSTM, its gated CNN, and its dense baselines FC-1 and FC-2."""
        return (*self.references, "gcnn", "fc1", "fc2")

    def reference(self, name: str) -> Architecture:
        """Return a named network; all but `lstm` are no points of the space."""
        if name == "gcnn":
            settings = LiGatedSettings(normalize=self.settings.normalize)
            space = LiGatedSpace(self.input_shape, self.classes, self.output, settings)
            return space.reference(name)
        if name == "fc1":
            return self._ending([*self._frames(), Flatten()])
        if name == "fc2":
            return self._ending([*self._frames(), Flatten(), Dense(1024, "relu")])
        return super().reference(name)

    @property
    def _has_channels(self) -> bool:
        return len(self.input_shape) == 3

    def _start(self) -> list[Block]:
        given = self.settings.normalize
        return [Normalize()] if (self._has_channels if given is None else given) else []

    def _frames(self) -> list[Block]:
        """Return what makes `(frames, values)` of the input."""
        return [*self._start(), *([FlattenBins()] if self._has_channels else [])]

    def _ending(self, blocks: list[Block]) -> Architecture:
        last = Dense(self.classes, self.output)
        return Architecture(self.input_shape, (*blocks, last))
