"""The example from a search to a fine-tuned and exported tagger."""

import importlib.util
from pathlib import Path

import pytest

import kerasnas.baselines as tflearn

EXAMPLE = Path(__file__).parents[2] / "examples" / "fine_tune_tagger.py"


@pytest.mark.slow
def test_the_example_fine_tunes_a_searched_tagger(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("KERASNAS_CACHE", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("fine_tune_tagger", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    quick = {"repeat": False, "latency_runs": 1}
    monkeypatch.setitem(module.EXPERIMENT, "export", module.EXPERIMENT["export"] | quick)
    model = module.fine_tune(module.search(tmp_path, trials=1, epochs=2))
    assert model.labels == ("alarm", "speech", "vacuum_cleaner")
    printed = capsys.readouterr().out
    assert "val_loss" not in printed  # the winner was trained on the validation clips, too
    assert "accuracy as searched" in printed and "Epoch 005 | acc: " in printed
    directory = tmp_path / "run" / "fine_tuned"
    files = {path.name for path in (directory / "export").iterdir()}
    assert {"model_float16.tflite", "model_int8.tflite", "labels.txt"} <= files
    assert tflearn.DNN.from_run(directory / "model.keras").labels == model.labels
