"""The settings of decisions over time: from scores of windows to events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

OTHER = "other"
"""Name of the class of all sounds that are none of the others; it makes no events."""

Smoothing = Literal["none", "mean", "median", "exponential"]


class ClassDecisions(BaseModel):
    """When an event of one class begins and ends."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threshold: float = Field(
        0.5, ge=0, description="Smoothed score that an event needs to begin, 0 to 1."
    )
    release: float = Field(
        0.5, ge=0, description="Smoothed score below which it ends; threshold at most (hysteresis)."
    )
    minimum_windows: int = Field(
        1, ge=1, description="Consecutive windows that must reach the threshold before it begins."
    )
    refractory_seconds: float = Field(
        0.0, ge=0, description="Time after an event in which no other of the class begins."
    )
    onset_shift_seconds: float = Field(
        0.0,
        description="Added to the start of every event: windows longer than a sound notice it "
        "early, those much shorter late.",
    )

    @model_validator(mode="after")
    def _release_at_most_threshold(self) -> Self:
        if self.release > self.threshold:
            raise ValueError(
                f"release: {self.release:g} is above threshold, {self.threshold:g}: an event would "
                "end where it begins"
            )
        return self


class DecisionSettings(BaseModel):
    """How scores of overlapping windows become events."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    window_seconds: float = Field(gt=0, description="Length of a window: the network's clip.")
    hop_seconds: float = Field(gt=0, description="Time between the starts of two windows.")
    smoothing: Smoothing = Field(
        "none",
        description="Of the scores of each class over the last windows: their mean, their median, "
        "or an exponential mean that weighs the newest by 2 / (smoothing_windows + 1).",
    )
    smoothing_windows: int = Field(
        1, ge=1, le=10_000, description="Windows that are smoothed over; fewer at the start."
    )
    classes: Mapping[str, ClassDecisions] = Field(
        description="By name of the class; classes without settings make no events."
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        if self.hop_seconds > self.window_seconds:
            raise ValueError(
                f"hop_seconds: {self.hop_seconds:g} is above window_seconds, "
                f"{self.window_seconds:g}: nothing would listen between two windows"
            )
        if self.smoothing == "none" and self.smoothing_windows != 1:
            raise ValueError(f"smoothing: none goes with 1 window, not {self.smoothing_windows}")
        return self

    @property
    def newest_weight(self) -> float:
        """Weight of the newest window in an exponential mean."""
        return 2 / (self.smoothing_windows + 1)

    def lag(self, index: int) -> float:
        """Return how long before the middle of a window its smoothed score is about, in seconds.

        Means and medians are about the middle of the windows that they are of; the exponential mean
        of this weight is as late as they are, (1 - w) / w = (n - 1) / 2 windows.

        Args:
            index: Of the window, from 0.
        """
        return min(index, self.smoothing_windows - 1) / 2 * self.hop_seconds

    @classmethod
    def untuned(
        cls,
        labels: Sequence[str],
        window_seconds: float,
        hop_seconds: float | None = None,
        thresholds: Sequence[float] | None = None,
    ) -> DecisionSettings:
        """Return settings for a network whose decisions were not tuned.

        Args:
            labels: Names of all classes; `other` makes no events.
            window_seconds: Length of its clip.
            hop_seconds: Time between windows; a quarter of the window by default.
            thresholds: One for each class; 0.5 by default.
        """
        limits = thresholds if thresholds is not None else [0.5] * len(labels)
        return cls(
            window_seconds=window_seconds,
            hop_seconds=window_seconds / 4 if hop_seconds is None else hop_seconds,
            smoothing="mean",
            smoothing_windows=3,
            classes={
                name: ClassDecisions(threshold=limit, release=limit)
                for name, limit in zip(labels, limits, strict=True)
                if name != OTHER
            },
        )
