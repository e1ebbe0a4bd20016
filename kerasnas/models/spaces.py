"""Every search space that an experiment can name: those of `papers`, and `pretrained`.

A space of another paper is added to `kerasnas.models.papers`, and to nothing here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kerasnas.export.network.ops import Shape
from kerasnas.models.papers import AnyPaper
from kerasnas.models.pretrained.either import EitherSpace
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.space import SearchSpace


def _default(values: object) -> object:
    return {"space": "wu_lee", **values} if isinstance(values, dict) else values


ModelSettings = Annotated[
    AnyPaper | PretrainedSettings, Field(discriminator="space"), BeforeValidator(_default)
]


def space_of(
    settings: AnyPaper | PretrainedSettings,
    input_shape: Shape,
    classes: int,
    output: Literal["softmax", "sigmoid"],
) -> SearchSpace:
    """Return the space that the settings describe.

    Args:
        settings: Of one of the spaces.
        input_shape: `(frames, bins, channels)` of one example.
        classes: Number of outputs.
        output: Activation of the last layer.

    Raises:
        KerasnasError: The space does not fit the input or the output.
    """
    if not isinstance(settings, PretrainedSettings):
        return settings.over(input_shape, classes, output)
    whole = PretrainedSpace(input_shape, classes, output, settings=settings)
    beside = settings.from_scratch
    if beside is None:
        return whole
    return EitherSpace(
        input_shape,
        classes,
        output,
        pretrained=whole,
        scratch=beside.model.over(input_shape, classes, output),
        share=beside.share,
    )
