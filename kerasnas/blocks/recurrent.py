"""Blocks of convolutional recurrent networks that tag clips.

Sources: Liu & Zhang, "Reinforcement learning based neural architecture search for audio tagging",
IJCNN 2020, section 3 and figures 2 and 3; Xu et al., "Attention and localization based on a deep
convolutional recurrent model for weakly supervised audio tagging", Interspeech 2017, for the
normalised sum of ATT-LOC, which the former leave to the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasnas.blocks.block import Block
from kerasnas.blocks.recorder import Pair, Recorder, Tensor


@dataclass(frozen=True)
class ConvolutionPool(Block):
    """Convolution, batch normalisation, ELU, maximum over bins, dropout: the paper's Conv block.

    `kernel_size` is (height, width) in the paper: frames, bins. The convolution has a bias, as the
    authors' framework gives it by default.
    """

    kind: ClassVar[str] = "convolution_pool"
    filters: int
    kernel_size: Pair = (3, 3)
    pool_size: Pair = (1, 2)
    dropout: float = 0.1

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        x = net.conv2d(x, self.filters, self.kernel_size, bias=True)
        x = net.activation(net.batch_norm(x), "elu")
        return net.dropout(net.max_pool2d(x, self.pool_size), self.dropout)


@dataclass(frozen=True)
class FlattenBins(Block):
    """The channels of all bins of a frame, one after the other."""

    kind: ClassVar[str] = "flatten_bins"

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.flatten_bins(x)


@dataclass(frozen=True)
class Gru(Block):
    """Gated recurrent units over the frames; every frame's state is the output, or the last."""

    kind: ClassVar[str] = "gru"
    units: int
    bidirectional: bool = True
    return_sequences: bool = True

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.gru(x, self.units, self.bidirectional, self.return_sequences)


@dataclass(frozen=True)
class Lstm(Block):
    """Long short-term memory over the frames; every frame's output, or the last."""

    kind: ClassVar[str] = "lstm"
    units: int
    bidirectional: bool = False
    return_sequences: bool = True

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.lstm(x, self.units, self.bidirectional, self.return_sequences)


@dataclass(frozen=True)
class FrameMean(Block):
    """Sigmoid scores of the tags in every frame, and their mean over the frames (equation 2)."""

    kind: ClassVar[str] = "frame_mean"
    tags: int

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return net.mean_over_frames(net.activation(net.dense(x, self.tags), "sigmoid"))


@dataclass(frozen=True)
class AttentionLocalization(Block):
    """ATT-LOC: scores of the tags in every frame, weighed by two further heads.

    With the tags' scores O(t), the attention Z_att(t) of a frame (one sigmoid) and the localisation
    Z_loc(t) (a softmax over the tags), a tag's score is sum_t O Z_att Z_loc / sum_t Z_loc. Means
    stand for the sums, which is the same quotient. Xu et al.'s code clips Z_loc at 1e-9, which no
    softmax falls below before its logits are 20 apart in every frame: left out here.

    Attributes:
        tags: Number of scores.
        body: What stands between the features and the heads: recurrent layers.
        on_features: Whether the attention is computed from the features and multiplied onto them,
            too (equation 4), instead of being computed from the body's output.
    """

    kind: ClassVar[str] = "attention_localization"
    tags: int
    body: tuple[Block, ...] = ()
    on_features: bool = False

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        attention = _attention(net, x) if self.on_features else None
        if attention is not None:
            x = net.multiply(x, attention, "attended")
        for index, block in enumerate(self.body):
            with net.scope(f"{index}_{block.kind}"):
                x = block(net, x)
        if attention is None:
            attention = _attention(net, x)
        return _located(net, x, self.tags, attention)


@dataclass(frozen=True)
class LocatedTags(Block):
    """The tags' scores in every frame, weighed by their localisation: ATT-LOC without attention.

    It is what Xu et al., "Large-scale weakly supervised audio classification using gated
    convolutional neural network", ICASSP 2018, call attention (equation 3).
    """

    kind: ClassVar[str] = "located_tags"
    tags: int

    def __call__(self, net: Recorder, x: Tensor) -> Tensor:  # noqa: D102
        return _located(net, x, self.tags)


def _located(net: Recorder, x: Tensor, tags: int, attention: Tensor | None = None) -> Tensor:
    """Mean of the tags' scores over the frames, weighed by where each tag is."""
    scores = net.activation(net.dense(x, tags, name="tags"), "sigmoid", "tags_sigmoid")
    location = net.dense(x, tags, name="localization")
    location = net.activation(location, "softmax", "localization_softmax")
    if attention is not None:
        scores = net.multiply(scores, attention, "attention_tags")
    scores = net.multiply(scores, location, "scores")
    return net.divide(
        net.mean_over_frames(scores, "scores_mean"),
        net.mean_over_frames(location, "localization_mean"),
    )


def _attention(net: Recorder, x: Tensor) -> Tensor:
    """How much each frame counts: `(frames, 1)`."""
    return net.activation(net.dense(x, 1, name="attention"), "sigmoid", "attention_sigmoid")
