"""What an experiment says about its data set."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SyntheticSettings(BaseModel):
    """The procedural data set of domestic sounds (see `kerasnas.datasets.synthetic`)."""

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
    def _range_in_order(self) -> "SyntheticSettings":
        if self.snr[0] > self.snr[1]:
            raise ValueError(f"snr: {list(self.snr)}: the lower end comes first")
        return self


class ChimeHomeSettings(BaseModel):
    """Which chunks of CHiME-Home (see `kerasnas.datasets.chime_home`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chunks: Literal["refined", "raw"] = Field(
        "refined", description="refined: on which annotators strongly agree; raw: all."
    )
    sample_rate: Literal[16000, 48000] = Field(
        16000, description="Which files to read, Hz: mono at 16000, stereo at 48000."
    )
    evaluation: bool = Field(
        False,
        description="Add the evaluation chunks, with the split test; the others have train.",
    )


class SinsSettings(BaseModel):
    """Which segments of SINS (see `kerasnas.datasets.sins`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluation: Path | None = Field(
        None,
        description="Directory of the evaluation set (below root, or absolute), whose segments "
        "have the split test; the others then have train. null: the development set alone.",
    )


class Tau2020Settings(BaseModel):
    """Which clips of TAU Urban Acoustic Scenes (see `kerasnas.datasets.tau2020_3class`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Literal["three", "ten"] = Field(
        "three", description="three: indoor, outdoor, transportation; ten: the scenes themselves."
    )
    lists: bool = Field(
        True,
        description="The clips of the official lists, with the splits train and test; false: all "
        "clips, without splits.",
    )


class AudioSetSettings(BaseModel):
    """Which shards of embeddings (see `kerasnas.datasets.audioset`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: tuple[Literal["bal_train", "unbal_train", "eval"], ...] = Field(
        ("bal_train", "eval"), min_length=1, description="Clips of eval have the split test."
    )
    validation_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of the other videos that has the split validation."
    )
    class_labels: Path | None = Field(
        None,
        description="List of classes (index,mid,display_name), below root or absolute; null: "
        "class_labels_indices.csv.",
    )
    skip_corrupt: bool = Field(
        False, description="Leave damaged records out, and count them, instead of stopping."
    )


class DataSettings(BaseModel):
    """The data set of an experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Literal[
        "synthetic", "folder", "esc50", "chime_home", "sins", "tau2020_3class", "audioset"
    ] = Field("synthetic", description="Layout of the data on disk, or made on the spot.")
    root: Path | None = Field(
        None,
        description="Directory of the data; --data and KERASNAS_DATA come before it. synthetic: "
        "where to generate it (the cache by default; KERASNAS_DATA does not count).",
    )
    classes: tuple[str, ...] | None = Field(
        None, min_length=1, description="Classes to keep, in this order; null keeps all."
    )
    multi_label: bool = Field(
        False,
        description="Whether a clip may carry any number of labels; chime_home: always true; "
        "audioset: true by default.",
    )
    csv: Path | None = Field(
        None,
        description="folder: a CSV file (filename,labels[,fold][,split][,group]) below root; "
        "null takes the label from the directory.",
    )
    esc10: bool = Field(False, description="esc50: keep the ten classes of ESC-10.")
    chime_home: ChimeHomeSettings = Field(
        ChimeHomeSettings(), description="chime_home: which chunks."
    )
    sins: SinsSettings = Field(SinsSettings(), description="sins: which segments.")
    tau2020_3class: Tau2020Settings = Field(
        Tau2020Settings(), description="tau2020_3class: which clips and labels."
    )
    audioset: AudioSetSettings = Field(
        AudioSetSettings(), description="audioset: which shards, and who validates."
    )
    synthetic: SyntheticSettings = Field(
        SyntheticSettings(), description="synthetic: what to generate."
    )

    @model_validator(mode="before")
    @classmethod
    def _clips_carry_any_number_of_labels(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("dataset") in ("chime_home", "audioset"):
            return {"multi_label": True, **values}
        return values

    @model_validator(mode="after")
    def _options_fit_the_dataset(self) -> "DataSettings":
        owners = {"csv": "folder", "esc10": "esc50"}
        own = ("chime_home", "sins", "tau2020_3class", "audioset", "synthetic")
        owners |= {name: name for name in own}
        for option, owner in owners.items():
            if getattr(self, option) != type(self).model_fields[option].default and (
                self.dataset != owner
            ):
                raise ValueError(f"{option} is an option of dataset: {owner}, not {self.dataset}")
        if self.multi_label and (
            self.dataset in ("esc50", "sins", "tau2020_3class")
            or (self.dataset == "folder" and self.csv is None)
        ):
            raise ValueError(
                f"multi_label: {self.dataset} gives one label per clip"
                + ("; name a csv file" if self.dataset == "folder" else "")
            )
        if self.dataset == "chime_home" and not self.multi_label:
            raise ValueError("multi_label: false: chunks of chime_home carry any number of labels")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: {', '.join(self.classes)}: a name occurs twice")
        return self
