"""What the page shows of a search on a supernet."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.metrics import confusion_matrix, f1_score

from kerasnas.models.nasc import NascSpace
from kerasnas.models.wu_lee import WuLeeSpace
from kerasnas.report import write
from kerasnas.report.networks import f1_of
from kerasnas.report.sections import compared, decisions, search, selection, summary, supernet
from kerasnas.runs import records
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.run import Run
from kerasnas.tuners import Gene
from tests.report.conftest import describe
from tests.report.pages import Page
from tests.runs.journals import Candidate, write_journal

CLASSES = ("absence", "eating", "other")
POINTS = ((0.5, 1e6), (0.7, 3e6), (0.6, 4e6), (0.8, 9e6))


def searched(directory: Path, points: tuple[tuple[float, float], ...] = POINTS) -> Path:
    """A run directory with trials alone."""
    directory.mkdir(parents=True, exist_ok=True)
    experiment = {
        "name": "x",
        "model": {"space": "nasc"},
        "search": {
            "oracle": {"name": "nsga2", "population": 2},
            "objectives": ["accuracy", "macs"],
            "supernet": {},
        },
    }
    RunPaths(directory).experiment.write_text(yaml.safe_dump(experiment))
    candidates = [
        Candidate(
            {"layer1": number},
            9000,
            {"accuracy": accuracy, "macs": int(macs)},
            {"parameters": 100, "macs": int(macs), "int8_bytes": 9000, "float16_bytes": 9000},
        )
        for number, (accuracy, macs) in enumerate(points)
    ]
    genes = [Gene("layer1", values=tuple(range(len(points))))]
    write_journal(directory, genes, [("accuracy", "max"), ("macs", "min")], candidates)
    return directory


def evaluation(seed: int, **changes: Any) -> records.Evaluation:
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(0, 3, (2, 30))
    fields: dict[str, Any] = {
        "clips": "test",
        "classes": CLASSES,
        "metrics": {"accuracy": float((truth == answers).mean())},
        "confusion": confusion_matrix(truth, answers, labels=range(3)),
        "by_class": None,
        "channel_f1": None,
        "count": 30,
        "predictions": np.eye(3)[answers],
        "labels": np.eye(3, dtype=int)[truth],
        "ids": tuple(f"clip{n}" for n in range(30)),
    }
    return records.Evaluation(**fields | changes)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = searched(tmp_path / "run")
    paths = RunPaths(directory)
    entry = records.WinnerEntry(3, "winners/accuracy", "highest accuracy", "accuracy")
    records.Winners({"accuracy": entry}, "accuracy").write(paths.winners)
    evaluation(0).write(paths.winner("accuracy").evaluation)
    space = NascSpace((30, 20, 1), 3)
    describe(space.reference("baseline")).write(paths.winner("accuracy").description)
    return directory


def shown(section: Any, directory: Path) -> str:
    markup = section(Run.read(directory))
    HTMLParser().feed(markup)
    return markup


def test_generations_are_drawn_and_the_missing_comparison_named(run: Path) -> None:
    page = shown(supernet.generations, run)
    assert page.count("<svg") == 2
    assert "by generation" in page
    assert "--oracle random" in page


def test_an_oracle_by_its_bare_name_has_no_generations(run: Path) -> None:
    experiment = yaml.safe_load((run / "experiment.yaml").read_text())
    experiment["search"]["oracle"] = "random"
    (run / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    assert supernet.generations(Run.read(run)) is None
    searched(run / "random")
    page = shown(supernet.generations, run)
    assert page.count("<svg") == 3  # both clouds, and the fronts
    assert "by generation" not in page


def test_random_search_stands_beside_the_search(run: Path) -> None:
    searched(run / "random", ((0.5, 2e6), (0.4, 5e6)))
    curves = {"search": ((1, 0.1), (4, 0.5)), "random": ((1, 0.0), (2, 0.2))}
    records.Hypervolume(curves).write(RunPaths(run).hypervolume)
    page = shown(supernet.generations, run)
    assert page.count("<svg") == 4
    assert "random search" in page
    assert "--oracle random" not in page


def test_a_damaged_random_search_costs_only_its_section(run: Path) -> None:
    (searched(run / "random") / "journal.jsonl").write_text("a,b\n")
    text = Page(write(run)).text("generations")
    assert "random/journal.jsonl is no journal of a search" in text


def test_ranks_are_shown_with_their_interval(run: Path) -> None:
    assert supernet.agreement(Run.read(run)) is None
    ranked = tuple(
        records.RankedPath(n, {"accuracy": n / 20}, {"accuracy": n / 15}) for n in range(12)
    )
    kendall = {
        "accuracy": records.RankCorrelation(0.714, 0.4, 0.9),
        "loss": records.RankCorrelation(None, None, None),
    }
    records.Agreement(20, kendall, ranked).write(RunPaths(run).agreement)
    page = shown(supernet.agreement, run)
    assert "0.71" in page
    assert "12 candidates" in page
    assert page.count("–") >= 3


def test_candidates_are_not_said_to_be_trained(run: Path) -> None:
    sections = summary.section, search.sizes, decisions.front, selection.section
    inheriting = [shown(section, run) for section in sections]
    assert "eld-out" not in shown(search.candidates, run)  # a supernet scores no test clips
    experiment = yaml.safe_load((run / "experiment.yaml").read_text())
    experiment["search"]["supernet"] = None
    (run / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    for page, section in zip(inheriting, sections, strict=True):
        assert "supernet's" in page
        assert "short recipe" not in page
        assert "rained again" not in page
        assert "supernet's" not in shown(section, run)


def test_every_searched_layer_is_drawn(run: Path) -> None:
    page = shown(supernet.layers, run)
    assert page.count(">E6 K3<") == 17  # two others have a stride, and an arrow
    assert page.count(">E6 K5 ↓<") == 1


def test_classes_of_one_network_and_of_its_ensemble(run: Path) -> None:
    page = shown(compared.classes, run)
    assert "--ensemble" in page
    together = evaluation(1, channel_f1=np.array([0.111, np.nan, 0.333]))
    together.write(RunPaths(run).ensemble("winner").evaluation)
    page = shown(compared.classes, run)
    assert "--ensemble" not in page
    assert "0.111" in page
    for name in CLASSES:
        assert name in page


def test_f1_of_a_confusion_matrix_is_scikit_learn_s() -> None:
    rng = np.random.default_rng(3)
    truth, answers = rng.integers(0, 4, (2, 50))
    matrix = confusion_matrix(truth, answers, labels=range(5))  # the fifth class does not occur
    found = f1_of(matrix)
    np.testing.assert_allclose(found[:4], f1_score(truth, answers, average=None))
    assert np.isnan(found[4])


def test_other_searches_have_none_of_it(run: Path) -> None:
    experiment = {"name": "x", "model": {"space": "wu_lee"}, "search": {"objectives": None}}
    paths = RunPaths(run)
    paths.experiment.write_text(yaml.safe_dump(experiment))
    paths.journal.unlink()
    other = WuLeeSpace((32, 16, 1), 3).reference("model_a")
    describe(other).write(paths.winner("accuracy").description)
    genes = [Gene("layer1", values=(0,))]
    write_journal(run, genes, [("accuracy", "max")], [Candidate({"layer1": 0}, 1, {"accuracy": 1})])
    read = Run.read(run)
    assert supernet.generations(read) is None
    assert supernet.agreement(read) is None
    assert supernet.layers(read) is None
    paths.winners.unlink()
    assert supernet.layers(Run.read(run)) is None
