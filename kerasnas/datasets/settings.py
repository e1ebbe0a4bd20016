"""What the settings of every data set share: where it is, its classes, how it is read."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasnas.datasets.clips import Clips
from kerasnas.datasets.places import data_root, existing_directory


class LayoutSettings(BaseModel, ABC):
    """A data set that an experiment can name.

    A layout is one file with a subclass of this: a literal `dataset`, its own options, and `read`;
    `recognised`, too, if `kerasnas init` shall know it. `kerasnas.datasets.layouts` lists them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stored: ClassVar[bool] = False
    """Whether clips are embeddings, in shards of records, instead of recordings."""

    dataset: str
    root: Path | None = Field(
        None, description="Directory of the data; --data and KERASNAS_DATA override it."
    )
    streams: Path | None = Field(
        None,
        description="Directory of long recordings with lists of events (docs/streams.md), on which "
        "`kerasnas tune-decisions` chooses and measures decisions over time.",
    )
    mined: Path | None = Field(
        None,
        description="A CSV (filename,label) of clips that `kerasnas mine` has found and somebody "
        "accepted: they are trained on, beside the data set's, and never chosen by or tested on.",
    )
    classes: tuple[str, ...] | None = Field(
        None, min_length=1, description="Classes to keep, in this order; null keeps all."
    )
    multi_label: bool = Field(False, description="Whether a clip may carry any number of labels.")

    @classmethod
    def recognised(cls, root: Path) -> Self | None:
        """Return settings for a directory with the signs of this layout; None without them.

        Args:
            root: The directory, absolute.
        """
        return None

    @abstractmethod
    def read(self, root: Path, cache: Path) -> Clips:
        """Read the table of clips.

        Args:
            root: The data set's directory.
            cache: Directory of derived files.

        Raises:
            KerasnasError: A list is malformed or a recording is missing; file and line are named.
        """

    def directory(self, override: Path | str | None) -> Path | None:
        """Return the data set's directory: `override`, else `KERASNAS_DATA`, else `root`."""
        return data_root(override, self.root)

    def place(self, override: Path | str | None, cache: Path) -> Path:
        """Return the data set's directory, absolute, once it is known to exist.

        Args:
            override: As in `directory`.
            cache: Directory of derived files.

        Raises:
            KerasnasError: No directory is given, or it does not exist.
        """
        return existing_directory(self.directory(override), self.dataset)

    @model_validator(mode="after")
    def _sounds_are_recordings(self) -> "LayoutSettings":
        if self.stored and self.mined is not None:
            raise ValueError(
                f"mined: {self.dataset} has embeddings, and mined clips are recordings"
            )
        return self

    @model_validator(mode="after")
    def _classes_differ(self) -> "LayoutSettings":
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: {', '.join(self.classes)}: a name occurs twice")
        return self
