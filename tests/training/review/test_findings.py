import numpy as np
import pytest

from kerasnas.training.review.findings import findings
from kerasnas.training.scoring.metrics import evaluation

NAMES = ("on", "off", "other")


def _single(truth, answers, sure: float = 0.9):
    """Evaluation of clips by the numbers of their classes and of the answers."""
    classes = len(NAMES)
    labels = np.eye(classes, dtype=np.float32)[truth]
    scores = np.full(labels.shape, (1 - sure) / (classes - 1), np.float32)
    scores[np.arange(len(truth)), answers] = sure
    return evaluation(
        labels,
        scores,
        np.arange(len(truth)),
        multi_label=False,
        loss="categorical_crossentropy",
    )


def _tags(labels, scores, thresholds=None):
    return evaluation(
        np.asarray(labels, np.float32),
        np.asarray(scores, np.float32),
        np.arange(len(labels)),
        multi_label=True,
        loss="binary_crossentropy",
        thresholds=thresholds,
    )


def _found(test, metric="accuracy", **options):
    trained_on = options.pop("trained_on", {"on": 40, "off": 40, "other": 40})
    return findings(test, metric=metric, classes=NAMES, trained_on=trained_on, **options)


def _wrong(truth: np.ndarray, count: int, offset: int = 0) -> np.ndarray:
    """Answers of which `count`, evenly spread, are of the next class."""
    rows = (np.arange(count) * len(truth) // max(count, 1) + offset) % len(truth)
    answers = truth.copy()
    answers[rows] = (truth[rows] + 1) % len(NAMES)
    return answers


EVEN = np.arange(300) % 3
RARE = np.repeat([0, 1], [382, 8])


@pytest.mark.parametrize(
    ("truth", "answers", "baseline", "options", "expected"),
    [
        # Good networks.
        (EVEN, _wrong(EVEN, 10), _wrong(EVEN, 60, 1), {}, []),
        (EVEN, _wrong(EVEN, 10), None, {"validation": {"accuracy": 0.99}}, []),
        # Against the baseline: worse, a tie within noise either way, and better.
        (EVEN, _wrong(EVEN, 60), _wrong(EVEN, 10, 1), {}, [("baseline", True, "is worse than")]),
        (EVEN, _wrong(EVEN, 32), _wrong(EVEN, 30, 1), {}, [("baseline", True, "not shown")]),
        (EVEN, _wrong(EVEN, 30), _wrong(EVEN, 32, 1), {}, [("baseline", False, "not shown")]),
        (EVEN, EVEN, EVEN, {}, [("baseline", True, "not shown")]),
        # 382 : 8, and the majority class is answered: 98 % right.
        (
            RARE,
            np.zeros(390, np.int64),
            np.zeros(390, np.int64),
            {"trained_on": {"on": 1500, "off": 32}},
            [
                ("one_answer", True, 'The network answers "on" for all 390 test clips'),
                ("baseline", True, "97.9 % against 97.9 % on 390 test clips"),
                ("missed_classes", True, "off (0 of 8, trained on 32)"),
            ],
        ),
        # A class that is missed wholly, and one of two clips, which is a caveat.
        (EVEN, np.minimum(EVEN, 1), None, {}, [("missed_classes", True, "other (0 of 100")]),
        (
            np.r_[EVEN[EVEN < 2], 2, 2],
            np.r_[EVEN[EVEN < 2], 0, 1],
            None,
            {},
            [("missed_classes", False, "other (0 of 2, trained on 40)")],
        ),
        # Two classes of two clips each are not both missed by chance.
        (
            np.repeat([0, 1, 2], [76, 2, 2]),
            np.r_[np.zeros(79, np.int64), 1],
            None,
            {},
            [("missed_classes", True, "off (0 of 2, trained on 40), other (0 of 2")],
        ),
        # From validation to test.
        (
            EVEN,
            _wrong(EVEN, 60),
            None,
            {"validation": {"accuracy": 0.95}},
            [
                (
                    "drop",
                    True,
                    "Accuracy lost 15.0 points from validation to test: 95.0 % on the validation "
                    "clips, 80.0 % on the 300 test clips",
                )
            ],
        ),
        (EVEN, _wrong(EVEN, 60), None, {"validation": {"accuracy": 0.89}}, []),
        # Few clips say little.
        (
            EVEN[:30],
            _wrong(EVEN[:30], 6),
            None,
            {},
            [("few", False, "Too few test clips (30) for a sure figure: 24 right is an accuracy")],
        ),
        (
            EVEN[:12],
            _wrong(EVEN[:12], 2),
            None,
            {"validation": {"accuracy": 0.95}},
            [
                ("drop", True, "test, within the noise of 12 clips: 95.0 %"),
                ("few", False, "10 right"),
            ],
        ),
    ],
)
def test_findings_of_one_label(truth, answers, baseline, options, expected):
    others = {} if baseline is None else {"a logistic regression": _single(truth, baseline)}
    found = _found(_single(truth, answers), baselines=others, **options)
    assert [(finding.kind, finding.serious) for finding in found] == [
        (kind, serious) for kind, serious, _ in expected
    ]
    for finding, (_, _, words) in zip(found, expected, strict=True):
        assert words in finding.sentence
        assert not finding.sentence.endswith(".")


def test_the_best_baseline_counts_by_the_metric():
    """Always answering the majority is 98 % right; a regression finds the rare class."""
    rare = RARE.copy()
    regression = rare.copy()
    regression[:20] = 1
    others = {
        "always answering on": _single(RARE, np.zeros_like(RARE)),
        "a logistic regression": _single(RARE, regression),
    }
    network = rare.copy()
    network[-4:] = 0
    network[:3] = 1
    test = _single(RARE, network)
    (accuracy,) = _found(test, baselines=others)
    assert "not shown to beat always answering on: accuracy 98.2 % against 97.9 %" in (
        accuracy.sentence
    )
    assert not accuracy.serious
    (balanced,) = _found(test, metric="balanced_accuracy", baselines=others)
    assert "worse than a logistic regression: balanced accuracy 74.6 % against 97.4 %" in (
        balanced.sentence
    )


def test_the_loss_is_not_what_a_network_is_judged_by():
    test = _single(EVEN, _wrong(EVEN, 60))
    others = {"a logistic regression": _single(EVEN, _wrong(EVEN, 10, 1), sure=0.5)}
    (finding,) = _found(test, metric="loss", baselines=others)
    assert "accuracy 80.0 % against 96.7 %" in finding.sentence


def test_many_names_are_cut_short():
    names = tuple(f"class {number}" for number in range(9))
    labels = np.eye(9, dtype=np.float32)[np.arange(90) % 9]
    scores = np.eye(9, dtype=np.float32)[np.arange(90) % 9 // 8]
    test = evaluation(
        labels, scores, np.arange(90), multi_label=False, loss="categorical_crossentropy"
    )
    found = findings(test, metric="accuracy", classes=names, trained_on=dict.fromkeys(names, 4))
    assert found[0].kind == "missed_classes"
    assert found[0].sentence.endswith("class 5 (0 of 10, trained on 4) and 3 more")


RNG = np.random.default_rng(7)
TRUTH = (RNG.random((200, 3)) < [0.4, 0.3, 0.2]).astype(np.float32)
GOOD = (0.15 + 0.7 * TRUTH + 0.1 * RNG.normal(size=TRUTH.shape)).clip(0, 1)
LOW = GOOD * [1, 1, 0.4]
NOISE = np.column_stack([GOOD[:, :2], np.arange(200) % 7 / 7])
FLAT = np.tile([0.9, 0.1, 0.1], (200, 1))


@pytest.mark.parametrize(
    ("truth", "scores", "thresholds", "expected"),
    [
        (TRUTH, GOOD, None, []),
        (TRUTH, LOW, None, [("silent_tags", True, "never reports other (42 clips) in 200")]),
        (TRUTH, LOW, np.array([0.5, 0.5, 0.25]), []),
        (TRUTH, NOISE, None, [("chance", True, "other (average precision 0.2")]),
        (
            TRUTH,
            FLAT,
            None,
            [
                ("one_answer", True, "gives the same tags to all 200 test clips: on"),
                ("silent_tags", True, "off (47 clips), other (42 clips)"),
                ("chance", True, "on (average precision 0.4"),
            ],
        ),
        (
            np.column_stack([TRUTH[:, :2], np.arange(200) < 3]),
            np.column_stack([GOOD[:, :2], np.arange(200) < 3]),
            None,
            [("few", False, "Too few test clips to judge other (3)")],
        ),
    ],
)
def test_findings_of_several_labels(truth, scores, thresholds, expected):
    found = _found(_tags(truth, scores, thresholds), metric="mean_average_precision")
    assert [(finding.kind, finding.serious) for finding in found] == [
        (kind, serious) for kind, serious, _ in expected
    ]
    for finding, (_, _, words) in zip(found, expected, strict=True):
        assert words in finding.sentence


@pytest.mark.parametrize("metric", ["mean_average_precision", "equal_error_rate", "macro_f1"])
def test_several_labels_are_held_against_a_baseline(metric: str):
    noisy = (GOOD + 0.6 * RNG.normal(size=GOOD.shape)).clip(0, 1)
    better, worse = _tags(TRUTH, GOOD), _tags(TRUTH, noisy)
    assert _found(better, metric=metric, baselines={"a logistic regression": worse}) == []
    found = _found(worse, metric=metric, baselines={"a logistic regression": better})
    assert found[0].kind == "baseline"
    assert found[0].sentence.startswith("The network is worse than a logistic regression: ")


def test_findings_are_plain_data():
    (finding,) = _found(_single(EVEN, np.minimum(EVEN, 1)))
    assert finding.to_json() == {
        "kind": "missed_classes",
        "serious": True,
        "sentence": "The network recognises no test clip of other (0 of 100, trained on 40)",
    }
