"""Networks that a run has chosen, found again."""

import ast
from pathlib import Path

import pytest

import kerasnas
from kerasnas.errors import KerasnasError
from kerasnas.runs import layout
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Description, WinnerEntry, Winners
from kerasnas.runs.run import chosen_training, description_of, read_labels, read_winners


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A run with one winner and a network trained over folds."""
    paths = RunPaths(tmp_path)
    entry = WinnerEntry(3, "winners/loss", "lowest validation loss", "loss")
    Winners({"loss": entry}, "loss").write(paths.winners)
    Description({"blocks": ["winner"]}, {}).write(paths.winner("loss").description)
    other = paths.network("crnn").training("2", 1)
    Description({"blocks": ["crnn"]}, {}, fold="2").write(other.description)
    return paths


def test_a_model_and_its_export_have_one_description(paths: RunPaths) -> None:
    winner, other = paths.winner("loss"), paths.network("crnn").training("2", 1)
    for training, export in ((winner, paths.export), (other, other.export)):
        own = description_of(training.model)
        assert own is not None
        assert description_of(export.path / "model_int8.tflite") == own
    assert other.path.name == "fold2-seed1"
    assert description_of(paths.path.parent / "elsewhere" / "deep" / "model.keras") is None


def test_the_chosen_network_is_that_of_the_winners(paths: RunPaths) -> None:
    assert chosen_training(paths.path) == paths.winner("loss")
    paths.winners.write_text("")
    for read in (chosen_training, read_winners):
        with pytest.raises(KerasnasError, match="no chosen network yet: let `kerasnas search` end"):
            read(paths.path)


def test_labels_are_lines(paths: RunPaths) -> None:
    with pytest.raises(KerasnasError, match=r"labels\.txt cannot be read"):
        read_labels(paths.export)
    paths.export.path.mkdir()
    paths.export.labels.write_text("rain\n犬\n", encoding="utf-8")
    assert read_labels(paths.export) == ("rain", "犬")


@pytest.mark.parametrize("room", ["runs", "report", "flow", "baselines"])
def test_every_file_of_a_run_is_named_in_one_module(room: str) -> None:
    names = {value for name, value in vars(layout).items() if name.isupper() and "." in value}
    assert {"winners.json", "journal.jsonl", "report.html"} <= names
    root = Path(kerasnas.__file__).parent / room
    for path in root.rglob("*.py"):
        if path != Path(layout.__file__):
            constants = {
                node.value
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            assert not constants & names, path
