"""Settings of the search space `pretrained`, as an experiment gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasnas.blocks.statistics import STATISTICS
from kerasnas.errors import KerasnasError
from kerasnas.models.papers import AnyPaper
from kerasnas.models.pretrained.file import read
from kerasnas.models.pretrained.probe import PENALTIES
from kerasnas.models.space import SpaceSettings
from kerasnas.models.wu_lee import WuLeeSettings
from kerasnas.paths import expanded

Head = Literal["linear", "hidden", "convolution", "gru"]


class FromScratch(BaseModel):
    """Candidates that begin without the file, among those that begin with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(
        0.2, ge=0.05, le=0.95, description="of candidates drawn at random, to a twentieth"
    )
    model: AnyPaper = Field(
        WuLeeSettings(), discriminator="space", description="their search space"
    )


class FineTuning(BaseModel):
    """Gentle training of a winner that begins with the file, by the final recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: Literal["head", "last", "all"] = Field(
        "last",
        description="what is trained: the head and a new block; the trunk's last block, too; or "
        "everything",
    )
    epochs: int = Field(8, ge=1, description="instead of those of training.final")
    learning_rate: float = Field(
        5e-5, gt=0, description="instead of that of training.final; falls to 0"
    )


class PretrainedSettings(SpaceSettings):
    """The space's settings in an experiment."""

    space: Literal["pretrained"] = "pretrained"
    file: Path = Field(
        description="a .tflite or .keras file; features must be like its own. ~ and $VARIABLES are "
        "replaced"
    )
    sha256: str | None = Field(None, description="of the file; written when it is first read")
    licence: str | None = Field(
        None, description="in the words of the file's metadata; written when it is first read"
    )
    cuts: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        description="blocks, from 1, behind which the trunk may end, as `kerasnas inspect` "
        "numbers them; null: all",
    )
    unpruned: int | None = Field(
        None,
        ge=0,
        description="first blocks, which keep all channels: their activations are computed once a "
        "clip; null: those up to the first cut",
    )
    shares: tuple[float, ...] = Field(
        (1.0, 0.75, 0.5, 0.375),
        min_length=1,
        description="shares of its channels that a block behind them may keep",
    )
    statistics: tuple[tuple[str, ...], ...] = Field(
        (("mean", "second"), ("mean", "second", "deviation", "change"), STATISTICS),
        min_length=1,
        description=f"sets of what is read of each channel; of {', '.join(STATISTICS)}",
    )
    parts: tuple[int, ...] = Field(
        (1, 3), min_length=1, description="parts of a clip that have statistics of their own"
    )
    window: int = Field(8, ge=1, description="frames behind the trunk of about one second")
    heads: tuple[Head, ...] = Field(
        ("linear",),
        min_length=1,
        description="what gives the scores: a linear reading of the statistics, fitted without "
        "gradients, or, trained with them: one hidden layer, a convolution over time before the "
        "statistics, or a GRU",
    )
    units: tuple[int, ...] = Field(
        (32, 64), min_length=1, description="units of a hidden layer, convolution or GRU"
    )
    penalties: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        PENALTIES,
        min_length=1,
        description="of a linear reading, to choose from by folds inside the training clips: "
        "inverse strengths, scikit-learn's C, of standardised statistics",
    )
    new_block: bool = Field(
        False, description="whether a new separable block, trained, may stand behind the cut"
    )
    speeds: tuple[Annotated[float, Field(gt=0.25, lt=4)], ...] = Field(
        (0.8, 0.9, 1.12, 1.25),
        description="speeds at which training clips are read by networks with a frozen trunk, "
        "beside the clips as they are",
    )
    candidate_speeds: tuple[float, ...] | None = Field(
        None,
        description="those of `speeds` that candidates are compared with; null: the nearest to 1, "
        "one below and one above. The winner is fitted on all",
    )
    from_scratch: FromScratch | None = Field(
        None, description="a share of candidates of another space, which are trained from scratch"
    )

    fine_tuning: FineTuning | None = Field(
        None,
        description="train winners further, gently, and keep that where the loss on validation "
        "clips is lower with it; null: do not try",
    )

    @model_validator(mode="before")
    @classmethod
    def _file_is_read(cls, values: Any) -> Any:
        """Check that the file can be used, once, and keep what tells it from others."""
        if not isinstance(values, dict) or not isinstance(values.get("file"), str | Path):
            return values
        if values.get("sha256") is not None:
            return values
        path = expanded(values["file"]).absolute()
        try:
            found = read(path)
        except KerasnasError as error:
            raise ValueError(f"file: {error}") from None
        licence = values.get("licence") or found.metadata.licence
        return {**values, "file": path, "sha256": found.sha256, "licence": licence}

    @model_validator(mode="after")
    def _check(self) -> PretrainedSettings:
        if not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares must be above 0 and at most 1, not {self.shares}")
        unknown = sorted(set(self.candidate_speeds or ()) - set(self.speeds))
        if unknown:
            raise ValueError(
                f"candidate_speeds: {', '.join(f'{speed:g}' for speed in unknown)} is none of "
                f"speeds, {', '.join(f'{speed:g}' for speed in self.speeds)}"
            )
        for chosen in self.statistics:
            if not chosen or set(chosen) - set(STATISTICS):
                raise ValueError(f"statistics can be {', '.join(STATISTICS)}, not {chosen}")
        return self

    @property
    def candidate_versions(self) -> tuple[int, ...]:
        """Numbers of the versions of a clip that candidates are compared with.

        0 is the clip as it is, and n the n-th of `speeds`.
        """
        if self.candidate_speeds is not None:
            chosen: set[float | None] = {*self.candidate_speeds}
        else:
            slower = max((speed for speed in self.speeds if speed < 1), default=None)
            chosen = {slower, min((speed for speed in self.speeds if speed > 1), default=None)}
        numbers = enumerate(self.speeds, 1)
        return (0, *(number for number, speed in numbers if speed in chosen))
