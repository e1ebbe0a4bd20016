"""The report's script, and a searched network in its place."""

import importlib.util
from pathlib import Path
from types import ModuleType

import keras
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.recurrent import FrameMean, Gru
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import WinnerEntry, Winners
from tests.report.conftest import make_evaluation

EXAMPLE = Path(__file__).parents[2] / "examples" / "li_2018_tflearn.py"
CLASSES = ("bark", "hum", "rain")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("li_2018_tflearn", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory as `kerasnas search` leaves it, as far as DNN reads it."""
    paths = RunPaths(tmp_path / "run")
    Winners(
        {"loss": WinnerEntry(3, "winners/loss", "lowest validation loss", "loss")}, "loss"
    ).write(paths.winners)
    make_evaluation(classes=CLASSES).write(paths.winner("loss").evaluation)
    keras.utils.set_random_seed(5)
    Architecture((10, 128), (Gru(4), FrameMean(3))).build().save(paths.winner("loss").model)
    return paths.path


def test_it_needs_nothing_but_the_baselines() -> None:
    imports = [line for line in EXAMPLE.read_text().splitlines() if "kerasnas" in line]
    imports = [line for line in imports if line.startswith(("import", "from"))]
    assert imports and all("kerasnas.baselines" in line for line in imports)


def test_the_network_is_the_report_s(script: ModuleType) -> None:
    assert script.parameters(script.lstm()) == 7_559_183


def test_a_searched_network_takes_its_place(script: ModuleType, run: Path, capsys) -> None:
    keras.utils.set_random_seed(1)
    train, test = script.generated(96, 3), script.generated(32, 3, seed=1)
    model = script.lstm((12, 8, 6), (16, 8), 3)
    own = script.parameters(model)
    script.compare(model, run, train, test, epochs=2)
    assert model.labels == CLASSES
    searched = script.parameters(model)
    printed = capsys.readouterr().out
    assert f"script's network: {own:,}" in printed and f"searched network: {searched:,}" in printed
    assert own != searched and model.predict(test[0]).shape == (32, 3)


def test_generated_embeddings_can_be_learnt(script: ModuleType) -> None:
    keras.utils.set_random_seed(1)
    model = script.lstm((16,), (16,), 3)
    train = script.generated(256, 3)
    history = model.fit(*train, n_epoch=6, batch_size=16).history["loss"]
    assert history[-1] < 0.8 * history[0]
