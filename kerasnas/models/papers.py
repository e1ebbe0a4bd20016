"""The search spaces of papers: the one list to extend for another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from kerasnas.models.li import LiSettings
from kerasnas.models.li_gated import LiGatedSettings
from kerasnas.models.liu_zhang import LiuZhangSettings
from kerasnas.models.nasc import NascSettings
from kerasnas.models.space import PaperSettings
from kerasnas.models.wu_lee import WuLeeSettings

AnyPaper = WuLeeSettings | LiuZhangSettings | LiSettings | LiGatedSettings | NascSettings
"""Their settings, which an experiment tells apart by `space`."""

PAPERS: tuple[type[PaperSettings], ...] = get_args(AnyPaper)
"""The same, one after another."""

PAPERS_BY_NAME = {each.model_fields["space"].default: each for each in PAPERS}
"""The same, by the name that an experiment gives in `model.space`."""


def space_names(spaces: Iterable[type[PaperSettings]]) -> str:
    """Return the names of spaces in an experiment, for messages."""
    return ", ".join(each.model_fields["space"].default for each in spaces)
