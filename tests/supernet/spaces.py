"""Small spaces and clips for the tests of supernets."""

import numpy as np

from kerasnas.blocks.convolutional import Dense, GlobalAveragePool, Identity, Normalize, Stem
from kerasnas.blocks.recurrent import FlattenBins, FrameMean, Gru
from kerasnas.blocks.unidirectional import UnidirectionalBottleneck
from kerasnas.supernet.space import Choice, SupernetSpace
from kerasnas.training.examples import Examples

INPUT = (8, 6, 1)
CLASSES = 3


def choice(filters, axis, strides=(1, 1), activation="relu6"):
    return Choice(
        tuple(
            UnidirectionalBottleneck(filters, axis, kernel, expansion, strides, activation)
            for kernel, expansion in ((3, 1), (3, 2), (5, 2))
        )
    )


def convolutional_space(name="small"):
    """Three choices of three; the second halves the bins, the third may be skipped."""
    third = Choice((*choice(4, "time", activation="silu").options[:2], Identity()))
    return SupernetSpace(
        name,
        INPUT,
        (
            Normalize(),
            Stem(4),
            choice(4, "time", activation="silu"),
            choice(4, "frequency", (1, 2)),
            third,
            GlobalAveragePool(),
            Dense(CLASSES, "softmax"),
        ),
    )


def recurrent_space():
    """Two choices with blocks between them, and units that are recurrent."""
    return SupernetSpace(
        "recurrent",
        INPUT,
        (
            choice(3, "time"),
            Stem(5, strides=(1, 2)),
            choice(5, "frequency"),
            FlattenBins(),
            Gru(4),
            FrameMean(CLASSES),
        ),
    )


def tiny_space(name="tiny"):
    """Two choices of two, quickly traced with their gradients."""
    pairs = tuple(Choice(choice(3, axis).options[:2]) for axis in ("time", "frequency"))
    ends = (GlobalAveragePool(), Dense(CLASSES, "softmax"))
    return SupernetSpace(name, INPUT, (Normalize(), Stem(3), *pairs, *ends))


def clips_to_learn(clips=24, seed=0):
    """Clips whose loud bin tells their class."""
    rng = np.random.default_rng(seed)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(clips) % CLASSES]
    features = rng.normal(-40, 2, (clips, 1, *INPUT)).astype(np.float32)
    features[..., :CLASSES, 0] += 10 * targets[:, None, None, :]
    return Examples.of_clips(features, targets, np.arange(clips))
