"""What a search space is: genes, and the architecture that their values describe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape

if TYPE_CHECKING:
    import keras
    import keras_tuner

Values = Mapping[str, Any]


@dataclass(frozen=True)
class SearchSpace(ABC):
    """Networks for one task.

    Attributes:
        input_shape: `(frames, bins, channels)` of one example.
        classes: Number of outputs.
        output: `softmax` for one label a clip, `sigmoid` for several or for a paper's recipe.
    """

    input_shape: Shape
    classes: int
    output: Literal["softmax", "sigmoid"] = "softmax"

    @abstractmethod
    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene on KerasTuner's hyperparameters."""

    @abstractmethod
    def architecture(self, values: Values) -> Architecture:
        """The network that the genes' values describe.

        Raises:
            KerasnasError: The input is too small for it, or a value is missing.
        """

    @property
    def headline_gene(self) -> str | None:
        """The gene whose values the space is best understood by; None where none stands out."""
        return None

    @property
    def references(self) -> Mapping[str, Values]:
        """Values of the named networks that are points of the space."""
        return {}

    @property
    def reference_names(self) -> tuple[str, ...]:
        """The named networks: points of the space first, then what it is compared with."""
        return tuple(self.references)

    def reference(self, name: str) -> Architecture:
        """A named network, for this input and these classes; it need not be a point of the space.

        Raises:
            KerasnasError: There is none of that name.
        """
        if name not in self.references:
            raise KerasnasError(
                f"unknown reference {name!r}: this space has {', '.join(self.reference_names)}"
            )
        return self.architecture(self.references[name])

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A compiled Keras model, as KerasTuner's own tuners want it (Adam, 1e-3)."""
        self.define(hp)
        model = self.architecture(hp.values).build()
        loss = "binary_crossentropy" if self.output == "sigmoid" else "categorical_crossentropy"
        model.compile("adam", loss=loss, metrics=["accuracy"], jit_compile=False)
        return model

    def hypermodel(self) -> keras_tuner.HyperModel:
        """The space as a `keras_tuner.HyperModel`."""
        import keras_tuner

        class SpaceModel(keras_tuner.HyperModel):
            def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
                return space.build(hp)

        space = self
        return SpaceModel(name=type(self).__name__)
