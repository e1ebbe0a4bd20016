"""The examples in Python and in C decide as `Decider` does."""

import json
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from kerasnas.decisions import DecisionSettings
from kerasnas.decisions.c_header import c_header
from kerasnas.runs.records import Postprocessing

FOLDER = Path(__file__).parents[2] / "examples" / "decisions"


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    spec = spec_from_file_location("golden", FOLDER / "golden.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(command: list[str | Path], scores: str) -> str:
    done = subprocess.run(command, input=scores, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(directory: Path) -> Path:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler cc")
    program = directory / "decide"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-ffp-contract=off"]
    subprocess.run(
        [compiler, *flags, "-I", directory, FOLDER / "decide.c", "-o", program], check=True
    )
    return program


def test_golden_files_are_those_that_are_made_now(golden: ModuleType) -> None:
    folder, rows = golden.FOLDER, golden.scores()
    record = Postprocessing.read(folder / "postprocessing.json")
    assert record.settings == golden.SETTINGS
    assert (folder / "postprocessing.h").read_text() == c_header(golden.SETTINGS, golden.LABELS)
    assert (folder / "scores.csv").read_text() == golden.scores_csv(rows)
    assert (folder / "events.csv").read_text() == golden.events_csv(golden.SETTINGS, rows)


@pytest.mark.parametrize(
    ("smoothing", "windows"),
    [("none", 1), ("mean", 3), ("mean", 4), ("median", 4), ("median", 5), ("exponential", 5)],
)
def test_python_and_c_make_the_same_events(
    golden: ModuleType, tmp_path: Path, smoothing: str, windows: int
) -> None:
    chosen = {"smoothing": smoothing, "smoothing_windows": windows}
    settings = DecisionSettings.model_validate({**golden.SETTINGS.model_dump(), **chosen})
    rows = golden.scores(seed=windows)
    scores, wanted = golden.scores_csv(rows), golden.events_csv(settings, rows)
    assert wanted.count("rain") > 2 and wanted.count("dog") > 2
    path = tmp_path / "postprocessing.json"
    Postprocessing("model_int8.tflite", "nothing", settings).write(path)
    assert run([sys.executable, FOLDER / "decide.py", path], scores) == wanted
    (tmp_path / "postprocessing.h").write_text(c_header(settings, golden.LABELS))
    assert run([compiled(tmp_path)], scores) == wanted


def test_a_header_holds_any_names_of_classes(tmp_path: Path) -> None:
    names = ['a "b"', "c\\d", "é", "what??/"]
    settings = DecisionSettings.untuned(names, 1.0)
    (tmp_path / "postprocessing.h").write_text(c_header(settings, names), encoding="utf-8")
    scores = "start,a,b,c,d\n" + "0,0.9,0.9,0.9,0.9\n"
    printed = run([compiled(tmp_path)], scores)
    assert [line.split(",")[2] for line in printed.splitlines()] == names


def test_golden_settings_are_the_ones_of_the_record() -> None:
    data = json.loads((FOLDER / "golden" / "postprocessing.json").read_text())
    assert set(data) == {"schema", "digest", "file", "chosen_on", "settings"}
