"""What mixtures of sounds are generated."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MixtureSettings(BaseModel):
    """How many clips are generated, and what each is like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: int = Field(500, ge=2, description="Number of clips.")
    seconds: float = Field(1.5, gt=0.1, le=60, description="Length of a clip.")
    sample_rate: int = Field(16000, ge=8000, le=96000, description="Samples per second, Hz.")
    channels: int = Field(1, ge=1, le=8, description="Channels of the WAV files.")
    subtype: Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"] = Field(
        "PCM_16", description="Sample format of the WAV files."
    )
    seed: int = Field(0, ge=0, description="Clip i depends on the seed and on i alone.")
    folds: int = Field(5, ge=1, description="Clips are dealt into this many folds.")
    snr: tuple[float, float] = Field(
        (0.0, 15.0), description="Range of the tagged sounds' level above the room noise, dB."
    )
    interference: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Single-label only: share of clips with a weaker, untagged sound of another "
        "class behind the tagged one.",
    )

    @model_validator(mode="after")
    def _range_in_order(self) -> Self:
        if self.snr[0] > self.snr[1]:
            raise ValueError(f"snr: {list(self.snr)}: the lower end comes first")
        return self
