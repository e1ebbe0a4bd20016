"""Settings of an export."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["float16", "int8"]


class ExportSettings(BaseModel):
    """What is written, and what the written files have to pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formats: tuple[Format, ...] = Field(
        ("float16", "int8"), min_length=1, description="files to write"
    )
    recurrent: Literal["auto", "int8_loop", "while", "unroll"] = Field(
        "auto",
        description="how recurrent layers compute: in int8 as a loop of integers (int8_loop), as "
        "the converter's loop in float with int8 weights (while), or step after step written out "
        "(unroll); in float16, which has no int8_loop, as while or unroll; auto takes the first "
        "that converts and fits the budget",
    )
    budget: int = Field(500_000, ge=1, description="most bytes of a file")
    rule: Literal["file"] = Field("file", description="what counts: the bytes of the whole file")
    agreement: float = Field(
        0.98, ge=0, le=1, description="least share of decisions that equal the Keras model's"
    )
    on_fail: Literal["fail", "report"] = Field(
        "fail", description="a failed check ends the export with an error, or is only reported"
    )
    calibration_clips: int = Field(
        40, ge=1, description="training clips that set the ranges of the integer file"
    )
    latency_runs: int = Field(50, ge=1, description="timed runs of a file, after five untimed")
    time_limit: float = Field(900, gt=0, description="most seconds that one conversion may take")
    memory_limit: int = Field(
        8_000_000_000, ge=1, description="most bytes of memory that one conversion may hold"
    )
