"""Scores of a model file, as they are shown."""

from pathlib import Path

import numpy as np

from kerasnas.flow.commands.evaluate import Evaluated
from kerasnas.training.metrics import Evaluation


def test_scores_are_shown_in_a_console_and_in_a_notebook() -> None:
    nothing = np.zeros((2, 2), np.float32)
    result = Evaluation({"macro_f1": 0.25}, None, None, nothing, nothing, np.arange(2))
    found = Evaluated(Path("<x>.tflite"), "test", ("a", "b"), result)
    assert repr(found) == "Evaluated(model: <x>.tflite, clips: 2 test, macro f1: 0.2500)"
    assert "&lt;x&gt;.tflite" in found._repr_html_()
