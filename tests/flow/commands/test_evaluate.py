"""Scores of a model file, as they are shown."""

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from kerasnas.flow.commands.evaluate import Evaluated
from kerasnas.training.scoring.metrics import ClipScores


def test_scores_are_shown_in_a_console_and_in_a_notebook() -> None:
    nothing = np.zeros((2, 2), np.float32)
    result = ClipScores({"macro_f1": 0.25}, None, None, nothing, nothing, np.arange(2))
    found = Evaluated(Path("<x>.tflite"), "test", ("a", "b"), result)
    assert repr(found) == "Evaluated(model: <x>.tflite, clips: 2 test, macro F1: 0.2500)"
    assert "&lt;x&gt;.tflite" in found._repr_html_()


def _shown(found: Evaluated) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(found.class_table(100))
    return console.export_text()


def test_classes_have_a_row_each() -> None:
    nothing = np.zeros((6, 3), np.float32)
    confusion = np.array([[2, 1, 0], [0, 0, 2], [0, 0, 0]])
    result = ClipScores({}, confusion, None, nothing, nothing, np.arange(6))
    shown = _shown(Evaluated(Path("x"), "test", ("cat", "dog", "owl"), result))
    rows = [line.split() for line in shown.splitlines()]
    assert ["cat", "3", "0.667", "1.000", "0.800", "dog", "(1)"] in rows
    assert ["dog", "2", "0.000", "0.000", "0.000", "owl", "(2)"] in rows
    assert ["owl", "0", "-", "0.000", "0.000"] in rows


def test_tags_have_a_row_each() -> None:
    nothing = np.zeros((6, 2), np.float32)
    by_class = {"positives": np.array([4.0, 0.0]), "auc": np.array([0.75, np.nan])}
    result = ClipScores({}, None, by_class, nothing, nothing, np.arange(6))
    rows = [
        line.split()
        for line in _shown(Evaluated(Path("x"), "test", ("a", "b"), result)).splitlines()
    ]
    assert ["a", "4", "0.750"] in rows
    assert ["b", "0", "-"] in rows


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    nothing = np.zeros((2, 2), np.float32)
    result = ClipScores({}, np.eye(2, dtype=int), None, nothing, nothing, np.arange(2))
    found = Evaluated(Path("a[/red].tflite"), "test", ("[/red]", "[bold]"), result)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(found.table(), found.class_table(100))
    shown = console.export_text()
    assert "a[/red].tflite on" in shown
    assert {"[/red]", "[bold]"} <= {line.split()[0] for line in shown.splitlines() if line.strip()}
