"""What is installed, and under which names."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    copy = directory / "copy"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")

    def left_out(folder: str, names: list[str]) -> set[str]:
        return ignored(folder, names) | ({"runs"} if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, copy, ignore=left_out, symlinks=True)
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory),
        cwd=copy,
    )  # fmt: skip
    (built,) = directory.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_puts_kerasnas_alone_at_the_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kerasnas"}
    assert len(names) == len(set(names))
    modules = {name for name in names if name.endswith(".py")}
    expected = {
        f"kerasnas/{path.relative_to(ROOT / 'kerasnas')}"
        for path in (ROOT / "kerasnas").rglob("*.py")
    }
    for room in ("tuners", "export"):
        paths = (ROOT / room).rglob("*.py")
        expected |= {f"kerasnas/{room}/{path.relative_to(ROOT / room)}" for path in paths}
    assert modules == expected


@pytest.mark.slow
def test_the_wheel_imports_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import kerasnas.tuners.search, kerasnas.export.network.ops, kerasnas.runs.directory\n"
        "print(kerasnas.tuners.__file__, kerasnas.export.network.ops.__file__)"
    )
    places = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert all(place.startswith(str(tmp_path)) for place in places)


@pytest.mark.parametrize("inside", [True, False])
def test_the_command_runs_inside_the_checkout_and_elsewhere(inside: bool, tmp_path: Path) -> None:
    text = run(sys.executable, "-m", "kerasnas", "--version", cwd=ROOT if inside else tmp_path)
    assert text.startswith("kerasnas ")


@pytest.mark.parametrize("room", ["tuners", "export"])
def test_rooms_refuse_to_be_imported_under_another_name(room: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {room}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert f"this package is kerasnas.{room}" in done.stderr


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from kerasnas.cli import app\n"
        "result = CliRunner().invoke(app, ['--help'])\n"
        "assert result.exit_code == 0 and 'search' in result.output\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'librosa', 'sklearn', 'scipy', 'numpy',"
        " 'matplotlib', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", code, cwd=ROOT).strip() == "[]"


def test_importing_the_package_needs_nothing_heavy() -> None:
    code = (
        "import sys, kerasnas; print([m for m in ('numpy', 'keras', 'rich') if m in sys.modules])"
    )
    assert run(sys.executable, "-c", code, cwd=ROOT).strip() == "[]"


def test_every_public_name_exists() -> None:
    import kerasnas

    assert all(getattr(kerasnas, name) is not None for name in kerasnas.__all__)


def test_tools_see_every_public_name() -> None:
    code = (
        "import kerasnas, sys\n"
        "assert dir(kerasnas) == sorted(kerasnas.__all__)\n"
        "assert 'numpy' not in sys.modules\n"
        "import pydoc\n"
        "print(pydoc.plain(pydoc.render_doc(kerasnas)))\n"
        "print(kerasnas.export.ExportError, kerasnas.tuners.Search)"
    )
    text = run(sys.executable, "-c", code, cwd=ROOT)
    for call in ("evaluate", "export_run", "init", "predict", "search", "train"):
        assert f"    {call}(" in text


def test_exporting_any_model_has_one_call_and_a_package() -> None:
    import kerasnas

    assert kerasnas.export_model is kerasnas.export.export


def test_python_and_the_command_line_have_the_same_defaults() -> None:
    import kerasnas
    from kerasnas.cli import app
    from kerasnas.flow.commands.benchmark import benchmark

    names = {"evaluate": {"clips": "part"}}
    names["search"] = {"time_budget": "seconds"}
    names["predict"] = {"hop": "hop_seconds"}
    elsewhere = {("search", "oracle"), ("train", "ensemble")}
    elsewhere |= {("predict", option) for option in ("top", "csv")}
    of_every_command = ("quiet", "as_json")
    calls = {"export": kerasnas.export_run, "benchmark": benchmark}
    for command in ("search", "train", "evaluate", "predict", "init"):
        calls[command] = getattr(kerasnas, command)
    compared = 0
    for command in app.registered_commands:
        name = command.callback.__name__
        if name not in calls:
            continue
        ours = inspect.signature(calls[name]).parameters
        for option in inspect.signature(command.callback).parameters.values():
            if option.default is option.empty or (name, option.name) in elsewhere:
                continue
            if option.name in of_every_command:
                continue
            parameter = ours[names.get(name, {}).get(option.name, option.name)]
            given = option.default
            assert parameter.default == (str(given) if isinstance(given, Path) else given)
            compared += 1
    assert compared > 30


USER = """
import kerasnas

found = kerasnas.search("x.yaml", run="runs/x", workers=2)
trained = kerasnas.train("runs/x", folds="all")
scored = kerasnas.evaluate("model.keras", part="test")
told = kerasnas.predict("model.tflite", "a.wav")
files = kerasnas.export_run("runs/x", budget=50_000)
for what in (found, trained, scored, told, files):
    reveal_type(what)
reveal_type(kerasnas.search)
reveal_type(kerasnas.train)
reveal_type(kerasnas.evaluate)
reveal_type(kerasnas.predict)
reveal_type(kerasnas.export_run)
reveal_type(kerasnas.init)
reveal_type(kerasnas.write_report)
reveal_type(kerasnas.init("recordings"))
reveal_type(kerasnas.write_report("runs/x"))
reveal_type(found.trials)
reveal_type(found.winner.values)
reveal_type(found.scores)
reveal_type(found.exported.files)
reveal_type(found.report)
reveal_type(trained.mean("int8"))
reveal_type(scored.metrics)
reveal_type(told.classes)
reveal_type(told.scores)
reveal_type(files.failed)
reveal_type(files.lines())
reveal_type(kerasnas.KerasnasError())
search = kerasnas.tuners.Search([], [("accuracy", "max")], max_trials=3)
reveal_type(search)
reveal_type(search.ask())
reveal_type(kerasnas.tuners.Gene("width", values=(1, 2)))
reveal_type(kerasnas.tuners.Results.read("runs/x").best())
"""


def revealed(text: str, directory: Path) -> list[str]:
    """What mypy says of a user's script, and that it finds no error in it."""
    (directory / "mine.py").write_text(text)
    mypy = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--follow-imports",
            "silent", "--cache-dir", str(directory / "cache"), "mine.py",
        ],
        cwd=directory,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
    return [line for line in mypy.stdout.splitlines() if "Revealed type is" in line]


@pytest.mark.slow
def test_a_type_checker_knows_every_public_name_and_what_calls_return(tmp_path: Path) -> None:
    import kerasnas

    names = [
        f"{package.__name__}.{name}"
        for package in (kerasnas, kerasnas.tuners, kerasnas.export)
        for name in package.__all__
    ]
    lines = revealed(USER + "".join(f"reveal_type({name})\n" for name in names), tmp_path)
    calls = USER.count("reveal_type")
    assert len(lines) == calls + len(names)
    shapes = "tuple[Any, ...]"  # of every NDArray
    assert not [line for line in lines[:calls] if re.search(r"\bAny\b", line.replace(shapes, ""))]
    # Some arguments take anything; no name is anything, and no call returns it.
    assert not [line for line in lines if re.search(r'("|-> )Any"$', line)]


@pytest.mark.slow
def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel: Path) -> None:
    assert "kerasnas/py.typed" in zipfile.ZipFile(wheel).namelist()
