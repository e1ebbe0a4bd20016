"""Pages that are written from the code, and what the README shows."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.experiment import load

ROOT = Path(__file__).parents[1]


def _script(name: str) -> ModuleType:
    """One of the scripts that write a page."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_of_fields_is_up_to_date() -> None:
    page = (ROOT / "docs" / "experiment.md").read_text(encoding="utf-8")
    reference = _script("experiment_reference").reference()
    assert page == reference, "run: python docs/experiment_reference.py"


def test_the_import_graphs_are_up_to_date() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert page == _script("import_graph").page(page), "run: python docs/import_graph.py"


def test_kinds_of_settings_are_named_by_what_tells_them_apart() -> None:
    headings = (ROOT / "docs" / "experiment.md").read_text(encoding="utf-8").splitlines()
    assert "## `features` with `kind: embedding`" in headings
    assert "## `features` with `kind: stored_embedding`" in headings
    assert "## `model.stages` with `space: nasc`" in headings


def test_the_readme_names_commands_and_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    assert commands <= set(re.findall(r"kerasnas ([\w-]+)", text))
    for command, options in re.findall(r"kerasnas ([\w-]+)([^`\n#]*)", text):
        names = set(re.findall(r"--[a-z-]+", options))
        if not names:
            continue
        shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert names <= set(re.findall(r"--[a-z-]+", shown)), command


def test_the_table_of_where_to_start_names_what_exists() -> None:
    _, _, table = (
        (ROOT / "docs" / "architecture.md")
        .read_text(encoding="utf-8")
        .partition("## Where to start")
    )
    paths = re.findall(r"`([\w.]+/[\w./]*)`", table)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_papers_page_names_networks_and_sections_that_exist() -> None:
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("kerasnas ")]
    for line in commands:
        command, source = line.split()[1:3]
        assert command in {each.callback.__name__ for each in app.registered_commands}, line
        name = Path(source.split(":")[0]).name.removesuffix(".yaml")
        space = load(ROOT / "configs" / f"{name}.yaml").space(7)
        for network in re.findall(r"--architecture (\S+)", line):
            assert "/" in network or network in space.reference_names, line
    page = (ROOT / "kerasnas" / "report" / "page.py").read_text(encoding="utf-8")
    titles = set(re.findall(r'\(\s*"\w[\w-]*",\s*"([^"]+)",', page))
    for named in re.findall(r"report's sections? (\"[^|]*?)(?: of|;|,| \||$)", text, re.M):
        for title in re.findall(r'"([^"]+)"', named):
            assert title in titles, title
    for path in re.findall(r"`((?:kerasnas|tuners|examples|benchmarks|configs)/[^`\s]+)`", text):
        assert (ROOT / path).exists(), path


def test_every_promise_of_reliability_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|benchmarks|kerasnas|tuners|export)/[\w/.]+)`", page)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []
    commands = re.findall(r"(?:pytest --nightly|python) ((?:tests|benchmarks)/\S+\.py)", page)
    assert [name for name in commands if not (ROOT / name).is_file()] == []
