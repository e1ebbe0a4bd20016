"""What is installed, and under which names."""

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
    ignored = shutil.ignore_patterns(".*", "runs", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
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
