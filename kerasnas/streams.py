"""Streams of random numbers that are made from an experiment's seed.

Each draw has a stream of its own, `numpy.random.default_rng((seed, stream))`, so that a change to
one, such as the number of folds, leaves all others as they were. Results depend on these numbers:
do not change them, and give a new stream a new one.

NumPy fills keys up with zeros, so that `(seed, 0)` and `(seed, 0, 0)` are one stream. What shares
one here draws different things.

Three draws have keys without a name, since another key would change their results: a training's
batches and augmentation, `(seed,)` with the seed of that training (`kerasnas.training.fit`); new
clips of mixed pieces, `(seed, class, number)` (`kerasnas.training.mixing`); and changed versions of
a recording, `(seed, number, clip)` of the version (`kerasnas.features.versions`).
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Stream(IntEnum):
    """What is drawn once in an experiment."""

    TEST_CLIPS = 0
    """Which clips are only tested on."""
    VALIDATION_CLIPS = 1
    """Which of the other clips validate."""
    FOLDS = 2
    """Folds that are made for a search, and those that a data set without folds is given."""
    RECALIBRATION = 3
    """Training clips that a candidate's batch normalisation gets statistics from."""
    AGREEMENT = 4
    """Candidates that are trained from scratch, to compare ranks."""
    RECIPES = 5
    """Candidates of which a small one tries recipes."""
    STREAMS = 6
    """Which long recordings decisions are chosen on, and which they are measured on."""


@unique
class StepStream(IntEnum):
    """What a supernet's training draws anew: `default_rng((seed, stream, number))`."""

    EXAMPLES = 0
    """The order of the examples, by epoch from 0."""
    PATHS = 1
    """Paths and augmentation, by step from 0."""
