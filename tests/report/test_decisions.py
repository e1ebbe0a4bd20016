"""The pages on fronts, controllers and what was picked, from runs that hold them."""

import csv
import json
from pathlib import Path

import pytest

from kerasnas.report import write
from tests.report.pages import Page

CURVE = [
    {"number": 1, "trials": 5, "reward": -0.4, "baseline": -0.4, "entropy": 1.1},
    {"number": 2, "trials": 10, "reward": -0.3, "baseline": -0.39, "entropy": 0.7},
]
HEADER = "trial,status,equal_error_rate,test_equal_error_rate,bytes,parameters,macs,int8_bytes"
HEADER += ",float16_bytes,seconds,front,error"
GENES = ("layer1_filters", "layer2_filters", "layer1_height", "layer2_height")


@pytest.fixture
def controlled(tmp_path: Path) -> Path:
    """Four trials of a controller, two of them without exploration."""
    (tmp_path / "experiment.yaml").write_text(
        "schema: 1\nname: tags\ndata: {multi_label: true}\n"
        "split: {by: split, validation_fraction: 0.2}\n"
        "training: {final: {patience: 20}}\n"
        "search:\n  folds: all\n  oracle: {name: controller, budget: 4, settled: 2}\n"
    )
    rates, macs, front = (0.3, 0.2, 0.25, 0.1), (100, 200, 250, 400), ("yes", "yes", "", "yes")
    filters = (8, 16, 16, 16)
    rows = [
        [n, "completed", rates[n], 0.3, 9000, 50, macs[n], 9000, 9000, 1.5, front[n], ""]
        for n in range(4)
    ]
    for row, number in zip(rows, filters, strict=True):
        row.extend([number, 8, 1, 3])
    with (tmp_path / "trials.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[*HEADER.split(","), *GENES], *rows])
    search = {"objectives": [["equal_error_rate", "min"], ["macs", "min"]], "rejected": 0}
    search |= {"schema": 1, "proposed": 4, "seconds": 6.0}
    (tmp_path / "search.json").write_text(json.dumps(search))
    (tmp_path / "controller.json").write_text(json.dumps({"schema": 1, "curve": CURVE}))
    return tmp_path


def test_a_controller_has_its_reward_and_entropy_drawn(controlled: Path) -> None:
    page = Page(write(controlled))
    assert page.pictures("controller") == 1
    text = page.text("controller")
    assert "the validation equal error rate, negated where less is better" in text
    assert "2 updates by 10 trials: mean reward -0.400 in the first batch and -0.300" in text


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
    assert (
        Page(write(controlled)).rows("trials", "The best")[0][-1] == "layer1: 16, 1; layer2: 8, 3"
    )


def test_a_front_of_two_objectives_is_drawn_and_listed_with_the_best_first(
    controlled: Path,
) -> None:
    page = Page(write(controlled))
    assert page.pictures("front") == 1
    rows = page.rows("front", "3 of 4 candidates are on the front")
    assert [row[0] for row in rows] == ["3", "1", "0"]
    assert rows[0][1:] == ["0.100", "400"]


def test_what_a_run_has_no_use_for_is_left_out(whole_run: Path) -> None:
    page = Page(write(whole_run))
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
