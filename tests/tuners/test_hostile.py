"""What a search is told and cannot keep is refused: nothing is appended, and it lives on.

Each of these, once written, would make a search that cannot be opened again, or another one.
"""

import decimal
import math

import numpy as np
import pytest

from kerasnas.tuners import Gene, Results, Search, SearchError, Window
from kerasnas.tuners.core.genes import Condition

GENES = [Gene("width", values=range(1, 9)), Gene("rate", span=(0.0, 1.0, "linear"))]
TOLD = {"accuracy": 0.5}
HUGE = 10**400
UNSPEAKABLE = type("Unspeakable", (), {"__str__": lambda self: 1 / 0, "__repr__": lambda self: 2})()
SELF = []
SELF.append(SELF)
DEEP = {}
for _ in range(100_000):
    DEEP = {"deeper": DEEP}

TELL = {
    "metrics are a list": ([0.5],),
    "metrics are none": (None,),
    "metrics are text": ("accuracy",),
    "no number": ({"accuracy": "high"},),
    "a number in text": ({"accuracy": "0.5"},),
    "bytes": ({"accuracy": b"0.5"},),
    "a list": ({"accuracy": [0.5]},),
    "an array": ({"accuracy": np.zeros(2)},),
    "complex": ({"accuracy": 1j},),
    "numpy complex": ({"accuracy": np.complex64(1)},),
    "a huge objective": ({"accuracy": HUGE},),
    "a huge other metric": ({**TOLD, "a": HUGE},),
    "a huge negative metric": ({**TOLD, "a": -HUGE},),
    "a decimal NaN that signals": ({**TOLD, "a": decimal.Decimal("sNaN")},),
    "another metric is text": ({**TOLD, "a": "b"},),
    "an object": ({**TOLD, "a": UNSPEAKABLE},),
    "a NaN as name": ({**TOLD, math.nan: 0.5},),
    "None as name": ({**TOLD, None: 0.5},),
    "a number as name": ({**TOLD, 1: 0.5},),
    "bytes as name": ({**TOLD, b"a": 0.5},),
    "info is a list": (TOLD, [1]),
    "info is text": (TOLD, "text"),
    "info contains itself": (TOLD, {"a": SELF}),
    "info is deep": (TOLD, DEEP),
    "info has an integer too long": (TOLD, {"a": 10**10_000}),
    "info has no text": (TOLD, {"a": UNSPEAKABLE}),
    "info has a name without text": (TOLD, {UNSPEAKABLE: 1}),
    "info has a long name": (TOLD, {10**10_000: 1}),
}
VIOLATIONS = [math.nan, math.inf, -math.inf, HUGE, "none", None, [1.0], 1j]
VALUES = [
    [1, 2],
    "values",
    3,
    {"width": None},
    {"width": [1]},
    {"width": {}},
    {"width": math.nan},
    {"width": math.inf},
    {"width": HUGE},
    {"width": 10**10_000},
    {"width": np.zeros(2)},
    SELF,
]
FAIL = [
    {"message": None},
    {"message": b"why"},
    {"message": ValueError("why")},
    {"message": "why", "traceback": 3},
    {"message": "why", "info": [1]},
    {"message": "why", "info": {"a": SELF}},
    {"message": "why", "info": {"a": 10**10_000}},
]
ENQUEUE = [
    None,
    3,
    "width",
    [1, 2],
    {},
    {"width": 1},
    {"width": 1, "rate": math.nan},
    {"width": 1, "rate": HUGE},
    {"width": 1, "rate": "0.5"},
    {"width": np.zeros(2), "rate": 0.5},
    {"width": True, "rate": 0.5},
    {"width": 1, "rate": 0.5, math.nan: 1},
    {"width": 1, "rate": 0.5, "other": 1},
]


@pytest.fixture(params=["on disk", "in memory"])
def directory(request, tmp_path):
    return tmp_path if request.param == "on disk" else None


@pytest.fixture
def search(directory):
    with Search(GENES, [("accuracy", "max")], max_trials=9, directory=directory) as search:
        search.ask()
        yield search


@pytest.fixture
def refuse(search, directory):
    """A function: a call is refused, leaves everything as it was, and the search goes on."""

    def check(call):
        before = search.trials, directory and (directory / "journal.jsonl").read_bytes()
        with pytest.raises((SearchError, TypeError)) as raised:
            call()
        after = search.trials, directory and (directory / "journal.jsonl").read_bytes()
        assert after == before
        assert len(str(raised.value)) < 500
        search.tell("0000", {"accuracy": 0.25})
        assert search.best().metrics == {"accuracy": 0.25}
        assert search.ask().id == "0001"
        if directory:
            assert Results.read(directory).trials == search.trials

    return check


@pytest.mark.parametrize("arguments", TELL.values(), ids=TELL)
def test_results(arguments, search, refuse):
    refuse(lambda: search.tell("0000", *arguments))


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda value: f"{value!r:.9}")
def test_violations(violation, search, refuse):
    refuse(lambda: search.tell("0000", TOLD, violation=violation))


@pytest.mark.parametrize("values", VALUES, ids=range(len(VALUES)))
def test_values(values, search, refuse):
    refuse(lambda: search.tell("0000", TOLD, values=values))


@pytest.mark.parametrize("id", ["0007", "", None, 0, 0.5, ["0000"], b"0000"], ids=repr)
def test_ids(id, search, refuse):
    refuse(lambda: search.tell(id, TOLD))
    with pytest.raises((SearchError, TypeError)):
        search.fail(id, "why")
    with pytest.raises((SearchError, TypeError)):
        search.requeue(id)


@pytest.mark.parametrize("arguments", FAIL, ids=range(len(FAIL)))
def test_failures(arguments, search, refuse):
    refuse(lambda: search.fail("0000", **arguments))


@pytest.mark.parametrize("values", ENQUEUE, ids=range(len(ENQUEUE)))
def test_enqueued_values(values, search, refuse):
    refuse(lambda: search.enqueue(values))


@pytest.mark.parametrize(
    "gene",
    [
        Gene("late", values=(np.float32(1),)),
        Gene("late", values=(object(),)),
        Gene("late", span=(math.nan, 1.0, "linear")),
        Gene("late", (Condition("width", (math.inf,)),), (1, 2)),
        Gene("late", config={"class_name": "Choice"}),
    ],
    ids=range(5),
)
def test_genes(gene, search, refuse):
    refuse(lambda: search.extend([gene]))


@pytest.mark.parametrize("cost", [HUGE, "much", None, math.nan, [1], 1j], ids=lambda c: f"{c!r:.9}")
def test_costs(cost, tmp_path):
    window = Window(lambda values: cost)
    with Search(
        GENES, [("accuracy", "max")], max_trials=9, window=window, directory=tmp_path
    ) as search:
        for call in (search.ask, lambda: search.enqueue({"width": 1, "rate": 0.5})):
            with pytest.raises(SearchError):
                call()
        assert search.trials == Results.read(tmp_path).trials == ()


@pytest.mark.parametrize(
    "values",
    [
        {"width": np.int64(1), "rate": 0.5},
        {"width": None, "rate": 0.5},
        {"width": 1, "rate": math.nan},
    ],
    ids=range(3),
)
def test_what_an_oracle_proposes(values, tmp_path):
    def propose(genes, history, rng, number):
        yield values

    with Search(
        GENES, [("accuracy", "max")], max_trials=9, propose=propose, directory=tmp_path
    ) as search:
        with pytest.raises(SearchError, match=r"values\['"):
            search.ask()
        assert search.trials == Results.read(tmp_path).trials == ()


def test_what_is_odd_and_can_be_kept_comes_back(search, directory):
    metrics = {
        "accuracy": np.float32(0.5),
        "count": np.int64(3),
        "flag": True,
        "nothing": None,
        "not finite": math.inf,
        "exact": decimal.Decimal("0.25"),
        "array": np.array(2.0),
        "\ud800": 1.0,
    }
    info = {"\ud800": "\ud800", "path": search, 1: {2}, "big": 10**400, "nan": [math.nan]}
    values = {"width": np.int64(9), "rate": np.float64(0.5), "late": "x"}
    trial = search.tell("0000", metrics, info, values=values)
    assert trial.metrics == {
        "accuracy": 0.5, "count": 3, "flag": 1, "nothing": None, "not finite": None,
        "exact": 0.25, "array": 2.0, "\ud800": 1.0,
    }  # fmt: skip
    assert trial.values == {"width": 9, "rate": 0.5, "late": "x"}
    assert trial.info["big"] == 10**400
    if directory is not None:
        assert Results.read(directory).trials == search.trials
