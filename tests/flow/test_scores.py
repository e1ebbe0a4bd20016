from types import SimpleNamespace

import numpy as np
import pytest

from kerasnas.flow import scores
from kerasnas.training.examples import Examples

LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
# The first tag is told apart at 0.25, the second one at 0.75.
SCORES = np.array([[0.3, 0.7], [0.2, 0.8], [0.4, 0.9], [0.1, 0.6]], np.float32)


class Clips(list):
    """Just enough of a table of clips."""

    classes = ("a", "b")

    def __init__(self, multi_label: bool) -> None:
        super().__init__(SimpleNamespace(id=f"clip{index}") for index in range(4))
        self.multi_label = multi_label


def task(multi_label: bool) -> SimpleNamespace:
    features = SCORES[:, None, None, :, None]
    return SimpleNamespace(
        clips=Clips(multi_label),
        space=SimpleNamespace(output="sigmoid"),
        experiment=SimpleNamespace(training=SimpleNamespace(final=SimpleNamespace(batch_size=2))),
        examples=lambda clips: Examples.of_clips(features, LABELS, clips),
    )


def model(x, training):
    assert training is False
    return x[:, 0, :, 0]


def test_thresholds_are_chosen_on_the_clips_set_aside() -> None:
    tagging = task(multi_label=True)
    found = scores.thresholds(model, tagging, np.arange(4))
    assert found == pytest.approx([0.25, 0.75])
    result = scores.score_model(model, tagging, tagging.examples(np.arange(2)), found)
    assert result.metrics["tuned_macro_f1"] == 1
    assert result.metrics["macro_f1"] < 1


def test_without_tags_or_clips_set_aside_there_are_no_thresholds() -> None:
    assert scores.thresholds(model, task(multi_label=False), np.arange(4)) is None
    assert scores.thresholds(model, task(multi_label=True), np.arange(0)) is None


def test_an_evaluation_is_written_class_by_class() -> None:
    tagging = task(multi_label=True)
    result = scores.score_model(model, tagging, tagging.examples(np.arange(2)))
    written = scores.to_json(result, tagging, "test")
    assert written["by_class"]["positives"] == [1, 1]
    assert written["by_class"]["equal_error_rate"] == [0, 0]
    result = scores.score_model(model, tagging, tagging.examples(np.arange(1)))
    assert scores.to_json(result, tagging, "test")["by_class"]["auc"] == [None, None]
