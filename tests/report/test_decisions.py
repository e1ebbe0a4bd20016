"""The pages on fronts, controllers and what was picked, from runs that hold them."""

from pathlib import Path

import pytest
import yaml

from kerasnas.report import write
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import ControllerCurve, ControllerUpdate, MostProbable
from kerasnas.tuners import Gene
from tests.report.conftest import GENES, candidates
from tests.report.pages import Page
from tests.runs.journals import Candidate, write_journal

CURVE = (
    ControllerUpdate(1, 5, -0.4, -0.4, 1.1, 0.5),
    ControllerUpdate(2, 10, -0.3, -0.39, 0.7, 0.1),
)


@pytest.fixture
def controlled(tmp_path: Path) -> Path:
    """Four trials of a controller, two of them without exploration."""
    paths = RunPaths(tmp_path)
    paths.experiment.write_text(
        "schema: 1\nname: tags\ndata: {multi_label: true}\n"
        "split: {by: split, validation_fraction: 0.2}\n"
        "training: {final: {patience: 20}}\n"
        "search:\n  folds: all\n  oracle: {name: controller, budget: 4, settled: 2}\n"
    )
    genes = [
        Gene("layer1_filters", values=(8, 16)),
        Gene("layer2_filters", values=(8, 16)),
        Gene("layer1_height", values=(1, 3)),
        Gene("layer2_height", values=(1, 3)),
        Gene("layer1_start", values=(0, 1, 2)),  # tells apart those that are alike otherwise
    ]
    rates, macs, filters, starts = (
        (0.3, 0.2, 0.25, 0.1),
        (100, 200, 250, 400),
        (8, 16, 16, 16),
        (0, 0, 1, 2),
    )
    trials = [
        Candidate(
            dict(zip((gene.name for gene in genes), (filter_, 8, 1, 3, start), strict=True)),
            9000,
            {"equal_error_rate": rate, "test_equal_error_rate": 0.3, "macs": mac},
            {"parameters": 50, "macs": mac},
        )
        for rate, mac, filter_, start in zip(rates, macs, filters, starts, strict=True)
    ]
    write_journal(tmp_path, genes, [("equal_error_rate", "min"), ("macs", "min")], trials)
    ControllerCurve(CURVE, MostProbable(trials[3].values, 0.125)).write(paths.controller)
    return tmp_path


def test_a_controller_has_its_reward_and_entropy_drawn(controlled: Path) -> None:
    page = Page(write(controlled))
    assert page.pictures("controller") == 1
    text = page.text("controller")
    assert "the validation equal error rate, negated where less is better" in text
    assert "2 updates by 10 trials: mean reward -0.400 in the first batch and -0.300" in text


def test_the_controllers_own_choice_is_told(controlled: Path) -> None:
    page = Page(write(controlled))
    rows = page.rows("controller", "What the controller finds most probable")
    assert rows[0] == ["layer1 filters", "16"]
    assert "have the probability 0.125. It is trial 3." in page.text("controller")
    RunPaths(controlled).controller.unlink()
    ControllerCurve(CURVE).write(RunPaths(controlled).controller)
    assert "most probable" not in Page(write(controlled)).text("controller")


def test_what_was_picked_is_counted_layer_by_layer_before_and_after_exploration(
    controlled: Path,
) -> None:
    page = Page(write(controlled))
    # Height never differs between trials of a layer, but between the layers.
    assert page.pictures("choices") == 2
    drawn = [text.text for text in page.section("choices").iter("text")]
    assert {"layer1", "layer2", "all 4", "last 2, none at random", "8", "16"} <= set(drawn)
    # filters: 8 once and 16 three times in layer 1, 8 four times in layer 2; then 0, 2, 2, 0
    # (each kind has two panels, so height's 4 and 0, 0 and 4 are there as well).
    assert {"1", "3", "4", "2", "0"} <= set(drawn)


def test_a_trial_whose_values_are_all_of_layers_lists_these_alone(controlled: Path) -> None:
    best = Page(write(controlled)).rows("trials", "The best")[0]
    assert best[-1] == "layer1: 16, 1, 2; layer2: 8, 3"


def test_a_front_of_two_objectives_is_drawn_and_listed_with_the_best_first(
    controlled: Path,
) -> None:
    page = Page(write(controlled))
    assert page.pictures("front") == 1
    rows = page.rows("front", "3 of 4 candidates on the front")
    assert [row[0] for row in rows] == ["3", "1", "0"]
    assert rows[0][1:] == ["0.100", "400"]


PUBLISHED = [
    {"name": "MicroNet", "score": 0.9, "bytes": 120_000, "protocol": "best epoch of the test fold"},
    {"name": "LargeNet", "score": 0.95, "bytes": 18_000_000},
]


def test_published_networks_stand_beside_a_front_of_score_and_bytes(run: Path) -> None:
    trials = [
        each._replace(metrics={**each.metrics, "int8_bytes": each.size}) if each.metrics else each
        for each in candidates()
    ]
    objectives = [("accuracy", "max"), ("loss", "min"), ("int8_bytes", "min")]
    RunPaths(run).journal.unlink()
    write_journal(run, GENES, objectives, trials)
    page = Page(write(run))
    assert "Published" not in page.text("front")
    scored = [(n, each.metrics["accuracy"]) for n, each in enumerate(trials) if each.metrics]
    best, _ = max(scored, key=lambda pair: pair[1])
    assert page.rows("front", "2 of 5 candidates on the front")[0][0] == str(best)
    settings = yaml.safe_load(RunPaths(run).experiment.read_text())
    settings["report"] = {"published": PUBLISHED}
    RunPaths(run).experiment.write_text(yaml.safe_dump(settings))
    page = Page(write(run))
    rows = page.rows("front", "Published networks")
    assert [row[0] for row in rows] == ["MicroNet", "LargeNet"]
    assert rows[0][-1] == "best epoch of the test fold"
    drawn = {text.text for text in page.section("front").iter("text")}
    assert "MicroNet" in drawn
    assert "LargeNet" not in drawn  # of a thousand times the candidates' size


def test_what_a_run_has_no_use_for_is_left_out(run: Path) -> None:
    RunPaths(run).journal.unlink()
    write_journal(run, GENES, [("accuracy", "max")], candidates())
    page = Page(write(run))
    shown = {section.attrib["id"] for section in page.root.iter("section")}
    assert not shown & {"front", "controller", "choices", "compared"}


def test_choosing_over_folds_and_thresholds_is_told(controlled: Path) -> None:
    text = Page(write(controlled)).text("selection")
    assert "each of all folds in turn, with training on the others and the mean taken" in text
    assert "tuned F1 takes the threshold of each tag that is best on the validation clips" in text
    assert "the validation clips tell when to stop" in text


def test_a_damaged_curve_costs_only_its_section(controlled: Path) -> None:
    (controlled / "controller.json").write_text('{"schema": 1, "curve": [{}]}')
    page = Page(write(controlled))
    assert "controller.json does not hold what it should" in page.text("controller")
    assert page.pictures("choices") == 2
