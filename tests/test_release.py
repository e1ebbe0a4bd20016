"""What stands beside the code for contributors and releases agrees with it."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(path: Path) -> list[dict]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_workflows_call_targets_and_scripts_that_exist() -> None:
    targets = set(re.findall(r"^([\w.-]+[\w./-]*):", (ROOT / "Makefile").read_text(), re.M))
    commands = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    made = {name for command in commands for name in re.findall(r"make ([\w./-]+)", command)}
    assert made == {"lint", "test", "release", ".venv/tools"}
    assert made <= targets
    scripts = {name for command in commands for name in re.findall(r"python (\S+\.py)", command)}
    assert all((ROOT / name).is_file() for name in scripts)


def test_tests_run_on_every_version_that_is_promised() -> None:
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    matrix = ci["jobs"]["test"]["strategy"]["matrix"]
    assert PROJECT["requires-python"] == ">=3.11,<3.13"
    assert matrix == {"os": ["ubuntu-latest", "macos-latest"], "python": ["3.11", "3.12"]}


def test_only_the_upload_may_ask_for_an_identity() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}
        trusted = {name for name, job in workflow["jobs"].items() if "permissions" in job}
        assert trusted == ({"publish"} if path.stem == "publish" else set())


def test_the_hooks_use_the_linter_of_the_tests() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (ruff,) = (repo["rev"] for repo in hooks if "ruff" in repo["repo"])
    assert f"ruff=={ruff.removeprefix('v')}" in PROJECT["optional-dependencies"]["dev"]


def test_the_citation_is_of_this_version_and_names_the_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == PROJECT["version"]
    readme = (ROOT / "README.md").read_text().lower()
    titles = [reference["title"] for reference in citation["references"]]
    assert len(titles) == 4
    assert all(title.lower() in readme for title in titles)


def test_forms_for_issues_are_forms() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= form.keys()
