"""What a search space is: genes, and the architecture that their values describe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape

if TYPE_CHECKING:
    import keras
    import keras_tuner

Values = Mapping[str, Any]

Causal = Annotated[
    bool,
    Field(
        description="whether no frame is computed from later ones, for files that go step by step "
        "(export.recurrent: step): convolutions are padded along time at the beginning alone, and "
        "strides leave no part of themselves at the end; not the paper's"
    ),
]
"""Of networks that hear a stream."""


class SpaceSettings(BaseModel):
    """Settings of a search space, as an experiment gives them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of_choices: ClassVar[bool] = False
    """Whether it is a `ChoiceSpace`, which a supernet can hold."""
    softmax_for_tags: ClassVar[bool] = False
    """Whether its paper trains taggers by a softmax, too, where clips carry several labels."""

    space: str


class PaperSettings(SpaceSettings, ABC):
    """Settings of a search space of `kerasnas.models.papers`."""

    scores_alone: ClassVar[bool] = False
    """Whether its paper gives every class a score of its own, though clips carry one label."""
    large: ClassVar[bool] = False
    """Whether a search of minutes has no time for the largest networks of its starter."""

    @classmethod
    @abstractmethod
    def starter(cls, classes: int, budget: int) -> str:
        """Return the settings of a starter experiment: few clips and minutes suffice for them.

        Args:
            classes: Number of classes.
            budget: Bytes that each exported file may have.

        Returns:
            Lines of YAML, the fields of the space beside `space`, not indented.
        """

    @abstractmethod
    def over(
        self, input_shape: Shape, classes: int, output: Literal["softmax", "sigmoid"]
    ) -> SearchSpace:
        """Return the space for one task; see `SearchSpace`.

        Raises:
            KerasnasError: The space does not fit the input or the output.
        """


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
        """Return the network that the genes' values describe.

        Raises:
            KerasnasError: The input is too small for it, or a value is missing.
        """

    @property
    def headline_gene(self) -> str | None:
        """The gene whose values the space is best understood by; None where none stands out."""
        return None

    @property
    def causal(self) -> bool:
        """Whether no frame is computed from later ones."""
        return False

    @property
    def references(self) -> Mapping[str, Values]:
        """Values of the named networks that are points of the space."""
        return {}

    @property
    def reference_names(self) -> tuple[str, ...]:
        """The named networks: points of the space first, then what it is compared with."""
        return tuple(self.references)

    def reference(self, name: str) -> Architecture:
        """Return a named network for this input and classes; it need not be a point of the space.

        Raises:
            KerasnasError: There is none of that name.
        """
        if name not in self.references:
            raise KerasnasError(
                f"unknown reference {name!r}: this space has {', '.join(self.reference_names)}"
            )
        return self.architecture(self.references[name])

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Return a compiled Keras model, as KerasTuner's own tuners want it (Adam, 1e-3)."""
        self.define(hp)
        model = self.architecture(hp.values).build()
        loss = "binary_crossentropy" if self.output == "sigmoid" else "categorical_crossentropy"
        model.compile("adam", loss=loss, metrics=["accuracy"], jit_compile=False)
        return model

    def hypermodel(self, normalise: NDArray[Any] | None) -> keras_tuner.HyperModel:
        """Return the space as a `keras_tuner.HyperModel`, for KerasTuner's own tuners.

        ```python
        space = WuLeeSpace(x_train.shape[1:], classes=3)
        tuner = keras_tuner.Hyperband(space.hypermodel(normalise=x_train), "val_accuracy", 20)
        tuner.search(x_train, y_train, validation_data=(x_val, y_val))
        ```

        Args:
            normalise: Training features, `(examples, *input_shape)`: networks begin by taking their
                mean away and dividing by their deviation, for every bin and channel. None for
                features that are standardised already, which networks then read as they are.

        Raises:
            KerasnasError: The features have another shape.
        """
        import keras
        import keras_tuner

        found = None if normalise is None else self._statistics(np.asarray(normalise))

        class SpaceModel(keras_tuner.HyperModel):
            def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
                model = space.build(hp)
                for layer in model.layers:
                    if found is not None and isinstance(layer, keras.layers.Normalization):
                        layer.set_weights([*found, np.int64(0)])
                        layer.finalize_state()
                return model

        space = self
        return SpaceModel(name=type(self).__name__)

    def _statistics(self, x: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and variance over examples and frames; 1 where all values are the same."""
        if x.shape[1:] != tuple(self.input_shape):
            raise KerasnasError(
                f"normalise has the shape {x.shape}: give features (examples, "
                f"{', '.join(map(str, self.input_shape))})"
            )
        mean, variance = x.mean(axis=(0, 1), dtype=np.float64), x.var(axis=(0, 1), dtype=np.float64)
        variance = np.where(variance > 1e-8, variance, 1.0)
        return mean.astype(np.float32), variance.astype(np.float32)
