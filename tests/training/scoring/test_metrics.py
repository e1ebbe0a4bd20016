import math
from statistics import NormalDist

import numpy as np
import pytest
from sklearn import metrics as sk

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.training.examples import Examples
from kerasnas.training.scoring import metrics
from kerasnas.training.scoring.equal_error_rate import equal_error_rate
from kerasnas.training.scoring.fold_means import fold_means

RNG = np.random.default_rng(20)
TRUTH = RNG.integers(0, 4, 50)
LABELS = np.eye(4, dtype=np.float32)[TRUTH]
PREDICTIONS = RNG.dirichlet(np.ones(4), 50).astype(np.float32)
TAGS = (RNG.random((50, 4)) < 0.3).astype(np.float32)
TAG_SCORES = RNG.random((50, 4)).astype(np.float32)


def _scores(labels, predictions, multi_label=False, loss="categorical_crossentropy"):
    return metrics.scores(labels, predictions, multi_label=multi_label, loss=loss)


def test_single_label_metrics_are_scikit_learns():
    chosen = PREDICTIONS.argmax(axis=1)
    result = _scores(LABELS, PREDICTIONS)
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(TRUTH, chosen))
    assert result["macro_f1"] == pytest.approx(sk.f1_score(TRUTH, chosen, average="macro"))
    assert result["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(TRUTH, chosen))
    assert result["loss"] == pytest.approx(sk.log_loss(TRUTH, PREDICTIONS), rel=1e-5)
    assert (metrics.confusion(LABELS, PREDICTIONS) == sk.confusion_matrix(TRUTH, chosen)).all()


def test_the_majority_class_is_not_balanced_accuracy():
    truth = np.repeat([0, 1, 2], [382, 8, 0])  # the third class does not occur
    labels = np.eye(3, dtype=np.float32)[truth]
    always = np.tile(np.float32([1, 0, 0]), (390, 1))
    result = _scores(labels, always)
    assert result["accuracy"] == pytest.approx(382 / 390)
    assert result["balanced_accuracy"] == 0.5


def test_every_class_has_the_same_part_in_the_balanced_loss():
    labels = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]  # the third class does not occur
    predictions = np.float32([[0.8, 0.1, 0.1]] * 3 + [[0.7, 0.2, 0.1]])
    result = _scores(labels, predictions)
    assert result["balanced_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)
    assert result["loss"] == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4)


def test_several_labels_metrics_are_scikit_learns():
    result = _scores(TAGS, TAG_SCORES, True, "binary_crossentropy")
    chosen = TAG_SCORES >= 0.5
    assert result == {
        "loss": pytest.approx(
            np.mean(
                [
                    sk.log_loss(t, p, labels=[0, 1])
                    for t, p in zip(TAGS.T, TAG_SCORES.T, strict=True)
                ]
            ),
            rel=1e-5,
        ),
        "mean_average_precision": pytest.approx(sk.average_precision_score(TAGS, TAG_SCORES)),
        "mean_auc": pytest.approx(sk.roc_auc_score(TAGS, TAG_SCORES)),
        "d_prime": pytest.approx(
            np.sqrt(2) * NormalDist().inv_cdf(sk.roc_auc_score(TAGS, TAG_SCORES))
        ),
        "equal_error_rate": pytest.approx(
            np.mean([equal_error_rate(t, p) for t, p in zip(TAGS.T, TAG_SCORES.T, strict=True)])
        ),
        "accuracy": pytest.approx((chosen == TAGS).mean()),
        "micro_f1": pytest.approx(sk.f1_score(TAGS, chosen, average="micro")),
        "macro_f1": pytest.approx(sk.f1_score(TAGS, chosen, average="macro")),
        "scored_classes": 4,
    }


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_metric_alone_is_that_of_all(multi_label: bool):
    labels, predictions = (TAGS, TAG_SCORES) if multi_label else (LABELS, PREDICTIONS)
    expected = _scores(labels, predictions, multi_label, "binary_crossentropy")
    for name in set(measures.scores(multi_label)) - {
        "loss",
        "balanced_loss",
        "channel_macro_f1",
    }:
        found = metrics.score(name, labels, predictions, multi_label=multi_label)
        assert found == expected[name], name


def test_a_tag_that_never_or_always_occurs_is_left_out_and_counted():
    labels = TAGS.copy()
    labels[:, 0], labels[:, 1] = 0, 1
    classes = metrics.by_class(labels, TAG_SCORES)
    assert classes["positives"].tolist()[:2] == [0, 50]
    for name in ("auc", "equal_error_rate"):
        assert np.isnan(classes[name]).tolist() == [True, True, False, False]
    precisions = classes["average_precision"]
    assert np.isnan(precisions).tolist() == [True, True, False, False]
    result = _scores(labels, TAG_SCORES, True, "binary_crossentropy")
    assert result["scored_classes"] == 2
    assert result["mean_average_precision"] == pytest.approx(precisions[2:].mean())
    assert result["mean_auc"] == pytest.approx(sk.roc_auc_score(labels[:, 2:], TAG_SCORES[:, 2:]))


def test_thresholds_of_each_class():
    thresholds = np.array([0.1, 0.5, 0.9, 0.3])
    result = metrics.scores(
        TAGS, TAG_SCORES, multi_label=True, loss="binary_crossentropy", thresholds=thresholds
    )
    classes = metrics.by_class(TAGS, TAG_SCORES, thresholds)
    chosen = thresholds <= TAG_SCORES
    assert classes["threshold"] is thresholds
    assert classes["tuned_f1"] == pytest.approx(sk.f1_score(TAGS, chosen, average=None))
    assert classes["f1"] == pytest.approx(sk.f1_score(TAGS, TAG_SCORES >= 0.5, average=None))
    assert result["tuned_macro_f1"] == pytest.approx(sk.f1_score(TAGS, chosen, average="macro"))
    assert result["tuned_micro_f1"] == pytest.approx(sk.f1_score(TAGS, chosen, average="micro"))


def _evaluation(labels, predictions):
    examples = Examples.of_clips(
        predictions[:, None, None, :, None], labels, np.arange(len(labels))
    )
    return metrics.evaluate(
        lambda x: x[:, 0, :, 0], examples, multi_label=True, loss="binary_crossentropy"
    )


def test_means_over_folds_give_every_tag_the_same_weight():
    labels = TAGS.copy()
    labels[25:, 0] = 0  # the first tag has a value in the first fold only
    folds = [_evaluation(labels[part], TAG_SCORES[part]) for part in (slice(25), slice(25, 50))]
    means = fold_means(folds)
    first, second = (fold.by_class["equal_error_rate"] for fold in folds)
    expected = [first[0], *((first + second) / 2)[1:]]
    assert means["equal_error_rate"] == pytest.approx(np.mean(expected))
    assert means["loss"] == pytest.approx(np.mean([fold.metrics["loss"] for fold in folds]))
    assert fold_means(folds[:1]) == pytest.approx(folds[0].metrics)


def test_no_tag_can_be_scored_on_one_clip():
    result = _scores(np.array([[1.0, 0.0]]), np.array([[0.2, 0.1]]), True, "binary_crossentropy")
    assert math.isnan(result["mean_average_precision"])
    assert math.isnan(result["mean_auc"])
    assert result["scored_classes"] == 0


def test_certain_and_wrong_has_a_finite_loss():
    wrong = _scores(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert wrong["loss"] == pytest.approx(-math.log(1e-7))
    assert (wrong["accuracy"], wrong["macro_f1"]) == (0, 0)


@pytest.mark.parametrize(("clips", "batch"), [(7, 3), (7, 64), (1, 3), (6, 3)])
def test_every_batch_has_the_same_size_and_every_clip_is_scored(clips, batch):
    features = np.arange(2.0 * clips).reshape(clips, 2, 1, 1, 1)
    targets = np.eye(2, dtype=np.float32)[np.zeros(clips, int)]
    sizes = []

    def predict(x):
        sizes.append(len(x))
        return np.repeat(x.reshape(-1, 1), 2, axis=1) / 100

    result = metrics.evaluate(
        predict,
        Examples.of_clips(features, targets, np.arange(clips)),
        multi_label=False,
        loss="binary_crossentropy",
        batch_size=batch,
    )
    assert set(sizes) == {min(batch, 2 * clips)}
    assert result.predictions[:, 0] == pytest.approx((2 * np.arange(clips) + 0.5) / 100)
    assert result.confusion.sum() == clips
    assert result.by_class is None


def test_clips_with_several_labels_are_scored_by_class():
    features = TAG_SCORES[:, None, None, :, None]
    result = metrics.evaluate(
        lambda x: x[:, 0, :, 0],
        Examples.of_clips(features, TAGS, np.arange(50)),
        multi_label=True,
        loss="binary_crossentropy",
        thresholds=np.full(4, 0.25),
    )
    assert result.confusion is None
    assert result.by_class["positives"].tolist() == TAGS.sum(axis=0).tolist()
    assert result.metrics["equal_error_rate"] == pytest.approx(
        result.by_class["equal_error_rate"].mean()
    )
    assert result.metrics["tuned_macro_f1"] == pytest.approx(result.by_class["tuned_f1"].mean())


@pytest.mark.parametrize(
    ("clips", "scores", "message"),
    [
        (0, [0.5, 0.5], "no clips to evaluate"),
        (2, [0.2, 0.3, 0.5], "gives 3 scores, the data set has 2"),
        (2, [math.nan, 0.3], "training diverged"),
    ],
)
def test_what_cannot_be_scored(clips, scores, message):
    features = np.zeros((2, 1, 1, 1, 1), np.float32)
    examples = Examples.of_clips(features, np.eye(2, dtype=np.float32), np.arange(clips))
    with pytest.raises(KerasnasError, match=message):
        metrics.evaluate(
            lambda x: np.tile(scores, (len(x), 1)),
            examples,
            multi_label=False,
            loss="categorical_crossentropy",
        )
