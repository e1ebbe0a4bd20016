"""How a network is trained: every choice, as settings of an experiment.

Wu & Lee, DCASE 2020, section 4.3, train with Adam, binary cross-entropy, weight decay 0.0015
(their code gives it to PyTorch's Adam) and mixup: `{loss: binary_crossentropy, weight_decay:
0.0015, learning_rate: 0.001, schedule: step}` with `{epochs: 3, step_factor: 0.1, step_epochs: 1}`
for candidates and `{epochs: 60, step_factor: 0.5, step_epochs: 4}` for the winners.

Li et al., Interspeech 2020, sections 3.1 and 3.2, train supernet and networks with Adam, weight
decay 1e-6, a rate that rises to 0.003 in three epochs and stays, a moving average of the weights
(0.9986), Cutout, and shuffling and mixing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Loss = Literal["categorical_crossentropy", "binary_crossentropy"]
Output = Literal["softmax", "sigmoid"]


class Masks(BaseModel):
    """Stretches of one axis, replaced by the training clips' mean (SpecAugment's masks).

    Along time they lie where the example sounds, and their width is a share of that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(0, ge=0, description="masks per example")
    width: float = Field(
        0.1, gt=0, lt=1, description="greatest width, as a share of the axis; uniform from 0"
    )


class Cutout(BaseModel):
    """Rectangles replaced by the training clips' mean; they may reach beyond the edges.

    Along time their centres lie where the example sounds, and their length is a share of that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(0, ge=0, description="rectangles per example")
    time: float = Field(0.25, gt=0, le=1, description="length, as a share of the frames")
    frequency: float = Field(0.25, gt=0, le=1, description="height, as a share of the bins")


class _Recordings(BaseModel):
    """Other recordings, which must not be clips of the data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(description="directory of recordings, searched with all below it")
    versions: int = Field(
        2, ge=1, le=20, description="copies of each clip, with other recordings drawn for each"
    )
    seed: int = Field(0, ge=0, description="random seed for what is drawn")

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()


class Noise(_Recordings):
    """Background recordings, of which an excerpt is added to each clip.

    None of them may be a clip of the data set: it could be one that is tested on.
    """

    snr: tuple[float, float] = Field(
        (5.0, 30.0),
        description="range of the clip's level above the noise, dB: of the mean power of its own "
        "samples, without padding",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.snr[0] > self.snr[1]:
            raise ValueError(f"snr: {list(self.snr)}: the lower end comes first")
        return self


class Rooms(_Recordings):
    """Impulse responses of rooms, by one of which each clip is filtered, as loud as it was."""


class ShufflingAndMixing(BaseModel):
    """New clips of rare classes, made once and kept beside the features.

    Two clips of a class are each cut into pieces, the pieces shuffled, and the results added.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {}, description="by class, how many clips there are then, at least; others keep theirs"
    )
    pieces: int = Field(4, ge=1, description="of equal length, that a clip is cut into")
    seed: int = Field(0, ge=0)


class Augmentation(BaseModel):
    """What is changed at random, anew in every epoch, about the features of each example."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mixup: Literal["none", "uniform", "beta"] = Field(
        "none", description="how mixup draws the share of the first of two examples"
    )
    mixup_alpha: float = Field(0.4, gt=0, description="both parameters of the beta distribution")
    mixup_domain: Literal["features", "power"] = Field(
        "features",
        description="features: weighted mean of the values; power: of sounds, for features in dB "
        "(shares weigh amplitudes, powers add up)",
    )
    speeds: tuple[Annotated[float, Field(gt=0.25, lt=4)], ...] = Field(
        (),
        description="clips are also played at these speeds, tempo and pitch together (1.25 is "
        "faster and higher); one of all copies, or the clip as it is, is "
        "drawn for every example",
    )
    noise: Noise | None = Field(
        None, description="background recordings, added to copies of the clips"
    )
    rooms: Rooms | None = Field(
        None, description="impulse responses of rooms, by which copies of the clips are filtered"
    )
    time_roll: bool = Field(
        False,
        description="examples without padding rotate by a random number of frames, which can part "
        "a word: meant for sounds that go on; others move within their padding, whole",
    )
    time_shift: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="examples without padding begin earlier or later by up to this share of the "
        "frames, reflected at the edges; others move within their padding, whole",
    )
    time_stretch: float = Field(
        0.0, ge=0, le=1, description="greatest change of tempo: 0.2 is 1/1.2 to 1.2 times as fast"
    )
    frequency_shift: int = Field(0, ge=0, description="greatest shift up or down, in bins")
    time_masks: Masks = Masks()
    frequency_masks: Masks = Masks()
    cutout: Cutout = Cutout()
    gain: float = Field(
        0.0, ge=0, description="greatest change of all values together, in the features' unit (dB)"
    )
    filter_gain: float = Field(
        0.0,
        ge=0,
        description="greatest gain of a random frequency response, in the features' unit (dB): "
        "drawn at five bins, linear between them",
    )

    @model_validator(mode="after")
    def _check(self) -> Augmentation:
        if self.time_roll and self.time_shift:
            raise ValueError("time_roll and time_shift: give one of them")
        return self

    @property
    def copies(self) -> bool:
        """Whether clips are also trained on as changed recordings."""
        return bool(self.speeds or self.noise or self.rooms)

    @property
    def masks(self) -> bool:
        """Whether anything is masked."""
        return bool(self.time_masks.count or self.frequency_masks.count or self.cutout.count)


class Recipe(BaseModel):
    """How one network is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(60, ge=1, description="passes over the training examples")
    batch_size: int = Field(32, ge=1, description="examples per step")
    loss: Literal["auto", "categorical_crossentropy", "binary_crossentropy"] = Field(
        "auto",
        description="auto: categorical cross-entropy (softmax) where clips carry one label each, "
        "else binary cross-entropy (sigmoid)",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share spread over all classes")
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(0.001, gt=0, description="before the schedule")
    schedule: Literal["constant", "step", "cosine"] = Field(
        "constant", description="cosine: from the learning rate down to 0, step by step"
    )
    step_factor: float = Field(0.5, gt=0, le=1, description="step: factor of each decay")
    step_epochs: int = Field(4, ge=1, description="step: epochs between decays")
    warm_up_epochs: float = Field(0, ge=0, description="rising linearly from 0; all schedules")
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="adamw: decoupled, of kernels only; adam: this times every weight, those of "
        "batch normalisation and biases included, is added to its gradient (PyTorch's Adam)",
    )
    l2: float = Field(
        0.0,
        ge=0,
        description="times the sum of squares of all kernels, added to the loss (the gradient of a "
        "kernel grows by 2 * l2 times it)",
    )
    clip_norm: float | None = Field(
        None, gt=0, description="greatest norm of all gradients together; longer ones are scaled"
    )
    clip_value: float | None = Field(
        None, gt=0, description="greatest size of each value of a gradient; larger ones are cut"
    )
    weight_average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="momentum, per step, of a moving average of the weights, which is what is "
        "validated and kept; null keeps the last weights",
    )
    batch_norm_momentum: float = Field(
        0.9, ge=0, lt=1, description="of the moving statistics; 0.99 asks for many steps"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: examples of rare classes weigh more in the loss"
    )
    sampling: Literal["natural", "balanced"] = Field(
        "natural", description="balanced: examples of rare classes are drawn more often"
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="epochs without a lower validation loss before training stops; the weights of "
        "the best epoch are kept. null: all epochs, last weights",
    )
    augmentation: Augmentation = Augmentation()
    shuffling_and_mixing: ShufflingAndMixing = ShufflingAndMixing()

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if self.shuffling_and_mixing.clips and self.augmentation.copies:
            raise ValueError(
                "shuffling_and_mixing does not go together with speeds, noise or rooms: leave it "
                "or them out"
            )
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_norm and clip_value: give one of them")
        if self.warm_up_epochs >= self.epochs and self.warm_up_epochs:
            raise ValueError(
                f"warm_up_epochs, {self.warm_up_epochs:g}, must be below epochs, {self.epochs}"
            )
        return self

    @property
    def balanced(self) -> bool:
        """Whether examples of rare classes count more, in one way or the other."""
        return "balanced" in (self.class_weights, self.sampling)

    def output(self, multi_label: bool) -> Output:
        """Return the activation that a network for this recipe ends with."""
        if self.loss == "auto":
            return "sigmoid" if multi_label else "softmax"
        return "softmax" if self.loss == "categorical_crossentropy" else "sigmoid"

    def learning_rate_at(self, epoch: float) -> float:
        """Learning rate after `epoch` epochs; fractions count steps within an epoch."""
        if epoch < self.warm_up_epochs:
            return self.learning_rate * epoch / self.warm_up_epochs
        done = epoch - self.warm_up_epochs
        if self.schedule == "step":
            return self.learning_rate * self.step_factor ** (done // self.step_epochs)
        if self.schedule == "cosine":
            share = min(1.0, done / (self.epochs - self.warm_up_epochs))
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
        return self.learning_rate
