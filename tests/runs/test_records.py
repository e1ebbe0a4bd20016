"""Records: what is written is read back, and nothing else is ever believed."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.export.record import SCHEMA
from kerasnas.files import parse_json
from kerasnas.runs import records
from kerasnas.runs.damage import damaged, record_of
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.record import Record
from tests.runs.example_records import EXAMPLES

kinds = pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)


def example(kind: type[Record]) -> Record:
    return EXAMPLES[kind][0]()


def place(kind: type[Record], run: Path) -> Path:
    return EXAMPLES[kind][1](RunPaths(run))


def subclasses(kind: type[Record]) -> Iterator[type[Record]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_there_is_an_example_of_every_class() -> None:
    assert set(EXAMPLES) == set(subclasses(Record))


@kinds
def test_a_record_is_read_as_it_was_written(kind: type[Record], tmp_path: Path) -> None:
    path, record = place(kind, tmp_path), example(kind)
    record.write(path)
    assert kind.read(path) == record
    assert kind.known(path) == record
    assert record_of(path) is kind
    assert set(json.loads(path.read_text())) == {
        "schema",
        "digest",
        *(field.name for field in fields(kind)),
    }
    assert list(damaged(tmp_path)) == []


@kinds
def test_no_changed_byte_is_believed(kind: type[Record], tmp_path: Path) -> None:
    path, record = tmp_path / "file.json", example(kind)
    record.write(path)
    content, wanted = path.read_bytes(), record.fields()
    refused = 0
    for position in range(len(content)):
        for changed in {content[position] ^ 1, content[position] ^ 16, ord(" ")}:
            mutant = content[:position] + bytes([changed]) + content[position + 1 :]
            try:
                found = kind.from_json(parse_json(mutant, path), path)
            except KerasnasError as error:
                assert str(path) in str(error)
                refused += 1
            else:  # a space that is another space, or none between two signs
                assert found.fields() == wanted
    assert refused > len(content)


@kinds
def test_no_cut_file_is_believed(kind: type[Record], tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    example(kind).write(path)
    content = path.read_bytes().rstrip()
    for end in range(len(content)):
        with pytest.raises(KerasnasError):
            kind.from_json(parse_json(content[:end], path), path)


@kinds
def test_what_is_missing_or_empty_is_to_be_made_anew(kind: type[Record], tmp_path: Path) -> None:
    path = place(kind, tmp_path)
    assert kind.known(path) is None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert kind.known(path) is None
    with pytest.raises(KerasnasError, match=f"{path.name} is empty: delete it and run"):
        kind.read(path)
    (said,) = damaged(tmp_path)
    assert str(path) in said


@kinds
def test_a_missing_field_is_named(kind: type[Record], tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    data = example(kind).to_json()
    first = fields(kind)[0].name
    del data[first]
    with pytest.raises(KerasnasError, match=rf"file.json does not hold.*field {first} is missing"):
        kind.from_json(data, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, r"is not of schema 1, .*received 2"),
        ({"schema": None}, r"is not of schema 1"),
        ({"count": "3"}, r"field count: .*integer.*received '3'"),
        ({"count": True}, r"field count: .*integer"),
        ({"colour": 1}, r"field colour: Unexpected"),
        ({"classes": ["rain"]}, r"field predictions is of shape \(3, 2\), not \(3, 1\)"),
        ({"ids": ["a.wav"]}, r"field ids is of shape \(1,\), not \(3,\)"),
        ({"predictions": [[0.5, 0.5], [1.0]]}, r"field predictions: .*inhomogeneous"),
        ({"confusion": [[10**30, 0], [0, 0]]}, r"field confusion: "),
        ({"by_class": {"auc": [0.5]}}, r"field by_class.auc is of shape \(1,\), not \(2,\)"),
        ({"metrics": {"loss": 0.5}}, r"was changed after it was written.*delete it and run"),
        ({"digest": "00"}, r"was changed after it was written"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(change: dict[str, Any], message: str) -> None:
    data = example(records.Evaluation).to_json() | change
    with pytest.raises(KerasnasError, match=f"^run/evaluation.json .*{message}"):
        records.Evaluation.from_json(data, Path("run/evaluation.json"))


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    for text in ("[1", '{"schema": 1, "epochs": [{"loss": NaN}]}', "[" * 100_000, "[]", "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(KerasnasError, match=r"history\.json"):
            records.EpochTable.read(path)


def test_what_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "winners.json"
    entry = records.WinnerEntry(1, "winners/loss", "lowest loss", "loss")
    with pytest.raises(ValueError, match="field chosen is 'accuracy', and the winners are loss"):
        records.Winners({"loss": entry}, "accuracy")
    with pytest.raises(ValueError, match="is not in the run"):
        replace(entry, directory="../other")
    with pytest.raises(Exception, match="trial"):
        records.Winners({"loss": replace(entry, trial="1")}, "loss").write(path)  # type: ignore[arg-type]
    assert not path.exists()


def test_unknown_figures_are_null_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    records.EpochTable(({"epoch": 1, "loss": float("nan"), "val_loss": float("inf")},)).write(path)
    assert json.loads(path.read_text())["epochs"] == [{"epoch": 1, "loss": None, "val_loss": None}]
    evaluation = example(records.Evaluation)
    evaluation.write(tmp_path / "evaluation.json")
    found = records.Evaluation.read(tmp_path / "evaluation.json")
    assert found.by_class is not None
    np.testing.assert_array_equal(found.by_class["auc"], [0.5, np.nan])
    assert found.known_metrics == {"loss": 0.25, "scored_classes": 1}


def test_the_order_of_tables_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    records.Thresholds("validation", {"rain": 0.25, "dog": 0.5}).write(path)
    found = records.Thresholds.read(path)
    known = found.of_classes(("rain", "dog"))
    assert known is not None and known.tolist() == [0.25, 0.5]
    assert found.of_classes(("dog", "rain")) is None


def test_descriptions_are_alike_whatever_the_predicted_cost() -> None:
    one = example(records.Description)
    assert isinstance(one, records.Description)
    assert one.trains_like(replace(one, cost={"parameters": 13}))
    assert one.trains_like(replace(one, values={"growth": 1.5, "block": "ir3"}))
    assert not one.trains_like(replace(one, seed=2))


def test_a_trial_that_won_twice_is_trained_once_and_known_by_the_rule_that_chose_it() -> None:
    def entry(trial: int, by: str) -> records.WinnerEntry:
        return records.WinnerEntry(trial, f"winners/{trial}", f"best {by}", by)

    won = records.Winners(
        {"size": entry(2, "bytes"), "accuracy": entry(1, "accuracy"), "loss": entry(1, "loss")},
        "loss",
    ).trained()
    assert [(winner.trial, winner.names, winner.by, winner.chosen) for winner in won] == [
        (1, ("accuracy", "loss"), "loss", True),
        (2, ("size",), "bytes", False),
    ]


def test_an_export_is_recorded_from_its_report() -> None:
    record = example(records.Export)
    assert isinstance(record, records.Export)
    assert records.Export.of({"schema": SCHEMA, **record.fields()}) == record
    with pytest.raises(ValueError, match="a report of schema 0 was received"):
        records.Export.of({"schema": 0, **record.fields()})
