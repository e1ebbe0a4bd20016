"""Clips whose channels are examples: scored channel by channel, or by the mean of all answers."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kerasnas.training.examples import Examples
from kerasnas.training.scoring.metrics import evaluate

CLASSES, CHANNELS, SEGMENTS, CLIPS = 3, 4, 2, 60


def scored(seed: int = 0):
    """Random answers to examples, and how they are evaluated."""
    rng = np.random.default_rng(seed)
    targets = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, CLIPS)]
    answers = rng.random((CLIPS, CHANNELS * SEGMENTS, CLASSES)) + 0.4 * targets[:, None]
    answers = (answers / answers.sum(axis=2, keepdims=True)).astype(np.float32)
    # Examples know their answer from a feature that counts them.
    features = np.arange(CLIPS * CHANNELS * SEGMENTS, dtype=np.float32)
    features = features.reshape(CLIPS, CHANNELS * SEGMENTS, 1, 1, 1)
    order = rng.permutation(CLIPS)
    examples = Examples.of_clips(features, targets, order, channels=CHANNELS)
    flat = answers.reshape(-1, CLASSES)
    result = evaluate(
        lambda x: flat[x[:, 0, 0, 0].astype(int)],
        examples,
        multi_label=False,
        loss="categorical_crossentropy",
    )
    return targets.argmax(1), answers, result


def test_each_channel_is_scored_alone_and_the_scores_averaged() -> None:
    truth, answers, result = scored()
    by_channel = answers.reshape(CLIPS, CHANNELS, SEGMENTS, CLASSES).mean(axis=2).argmax(axis=2)
    expected = [
        f1_score(truth, by_channel[:, channel], average=None) for channel in range(CHANNELS)
    ]
    assert result.metrics["channel_macro_f1"] == pytest.approx(np.mean(expected))
    np.testing.assert_allclose(result.channel_f1, np.mean(expected, axis=0))


def test_the_baseline_s_way_takes_the_mean_of_the_four_posteriors() -> None:
    truth, answers, result = scored()
    together = answers.mean(axis=1).argmax(axis=1)
    assert result.metrics["macro_f1"] == pytest.approx(f1_score(truth, together, average="macro"))
    assert result.metrics["macro_f1"] != pytest.approx(result.metrics["channel_macro_f1"], abs=0.01)


def test_clips_of_one_channel_have_one_score() -> None:
    examples = Examples.of_clips(
        np.zeros((4, 1, 1, 1, 1)), np.eye(4, dtype=np.float32), np.arange(4)
    )
    result = evaluate(
        lambda x: np.full((len(x), 4), 0.25),
        examples,
        multi_label=False,
        loss="categorical_crossentropy",
    )
    assert result.channel_f1 is None
    assert "channel_macro_f1" not in result.metrics
