"""Every search space that an experiment can name: the one list to extend for another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kerasnas.export.network.ops import Shape
from kerasnas.models.li import LiSettings, LiSpace
from kerasnas.models.li_gated import LiGatedSettings, LiGatedSpace
from kerasnas.models.liu_zhang import LiuZhangSettings, LiuZhangSpace
from kerasnas.models.nasc import NascSettings, NascSpace
from kerasnas.models.pretrained.either import EitherSpace
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.space import SearchSpace
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

_SPACES: dict[type, type[Any]] = {
    WuLeeSettings: WuLeeSpace,
    LiuZhangSettings: LiuZhangSpace,
    LiSettings: LiSpace,
    LiGatedSettings: LiGatedSpace,
    NascSettings: NascSpace,
}


def _default(values: object) -> object:
    return {"space": "wu_lee", **values} if isinstance(values, dict) else values


ModelSettings = Annotated[
    WuLeeSettings
    | LiuZhangSettings
    | LiSettings
    | LiGatedSettings
    | NascSettings
    | PretrainedSettings,
    Field(discriminator="space"),
    BeforeValidator(_default),
]


def space_of(
    settings: WuLeeSettings
    | LiuZhangSettings
    | LiSettings
    | LiGatedSettings
    | NascSettings
    | PretrainedSettings,
    input_shape: Shape,
    classes: int,
    output: Literal["softmax", "sigmoid"],
) -> SearchSpace:
    """The space that the settings describe.

    Args:
        settings: Of one of the spaces.
        input_shape: `(frames, bins, channels)` of one example.
        classes: Number of outputs.
        output: Activation of the last layer.

    Raises:
        KerasnasError: The space does not fit the input or the output.
    """
    if isinstance(settings, PretrainedSettings):
        whole = PretrainedSpace(input_shape, classes, output, settings=settings)
        beside = settings.from_scratch
        if beside is None:
            return whole
        return EitherSpace(
            input_shape,
            classes,
            output,
            pretrained=whole,
            scratch=space_of(beside.model, input_shape, classes, output),
            share=beside.share,
        )
    space: SearchSpace = _SPACES[type(settings)](input_shape, classes, output, settings)
    return space
