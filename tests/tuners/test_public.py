"""What users and their tools see of the package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kerasnas import tuners

HOME = Path(__file__).parents[2]

USER = """
from pathlib import Path
from kerasnas.tuners import NSGA2, Gene, Genes, Results, Search, SearchError, Window, repair

def cost(values: dict[str, int]) -> float:
    return 1.0

genes = Genes([Gene("width", values=(1, 2, 3))])
name = genes[0].name.upper()
try:
    with Search(genes, [("accuracy", "max")], max_trials=3, propose=NSGA2()) as search:
        while trial := search.ask():
            done = search.tell(trial.id, {"accuracy": 0.5 * trial.number})
            done.status.upper()
        best = search.best()
        if best is not None:
            accuracy = best.metrics["accuracy"]
            if accuracy is not None:
                accuracy.is_integer()
        volume = search.hypervolume([0.0]).hex()
except SearchError as error:
    error.args
kept = repair("run").kept.bit_length()
rows = [trial.values for trial in Results.read(Path("run")).pareto_front()]
"""


def test_every_public_name_is_listed_and_exists():
    assert dir(tuners) == sorted(tuners.__all__)
    assert all(getattr(tuners, name).__name__ == name for name in tuners.__all__)


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = tuners.Nothing


@pytest.mark.nightly  # by day tests/test_package.py asks mypy for these names, too
def test_a_type_checker_knows_every_public_name_and_no_other(tmp_path):
    user, names = tmp_path / "user.py", tmp_path / "names.py"
    user.write_text(f"# mypy: disallow-any-expr\n{USER}")
    revealed = "".join(f"reveal_type(tuners.{name})\n" for name in tuners.__all__)
    names.write_text(f"from kerasnas import tuners\n{revealed}tuners.Nothing\n")
    options = [
        "--cache-dir",
        str(tmp_path / "cache"),
        "--config-file",
        str(HOME / "pyproject.toml"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(user), str(names)],
        capture_output=True, text=True, cwd=HOME,
    )  # fmt: skip
    said = done.stdout
    types = re.findall(r'Revealed type is "(.*)"', said)
    assert len(types) == len(tuners.__all__), said
    assert "Any" not in types
    errors = [line for line in said.splitlines() if "error:" in line]
    assert len(errors) == 1, said
    assert "Nothing" in errors[0]
