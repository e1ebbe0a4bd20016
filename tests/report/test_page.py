"""The whole page, from run directories that hold everything, little, or damage."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.report import write
from kerasnas.runs import records
from kerasnas.runs.layout import RunPaths
from tests.report.conftest import (
    export_report,
    whole_file,
    write_state,
    write_trials,
    write_winners,
)
from tests.report.pages import Page

SECTIONS = [
    "summary",
    "sizes",
    "front",
    "genes",
    "curves",
    "held-out",
    "classes",
    "network",
    "trials",
    "export",
    "folds",
    "selection",
]


@pytest.fixture(scope="module")
def page(whole_run, tmp_path_factory):
    """A page with its pictures, made before fixtures of single tests."""
    return Page(write(shutil.copytree(whole_run, tmp_path_factory.mktemp("page") / "kitchen")))


def test_every_section_is_there_and_linked(page):
    assert [s.attrib["id"] for s in page.root.iter("section")] == SECTIONS
    assert [a.attrib["href"] for a in page.root.find("body/nav")] == [f"#{s}" for s in SECTIONS]


def test_the_summary_says_what_was_found_and_how_good_it_is(page):
    text = page.text("summary")
    assert "Trial 1 was chosen for its highest validation accuracy (90.0 %)" in text
    assert "50 001 parameters and measures 110 000 bytes" in text
    assert "60 000 to 160 000 bytes of the int8 TFLite file" in text
    assert "17 of 20 held-out clips right: 85.0 % (95 % interval 64.0 % to 94.8 %)" in text
    assert "better than the median candidate" in text
    assert "accuracy 85.0 % against 63.0 % (5 candidates)" in text
    assert "✗ over 150.0 kB" in text
    assert "✓ within 150.0 kB" in text
    assert "1 of 2 checks failed" in text


def test_the_window_and_what_it_rejected_are_told(page):
    text = page.text("sizes")
    assert "Of 40 proposals, 33 (82.5 %)" in text
    assert "5 candidates scored, 1 failed, 1 unfinished" in text
    assert "trial 1: highest accuracy, chosen" in text
    assert "trial 2: lowest loss" in text


def test_candidates_are_compared_by_growth(page):
    assert page.rows("genes", "Mean accuracy and size by growth") == [
        ["1.0", "2", "70.0 ± 28.3 %", "105.0 ± 7.1 kB"],
        ["1.5", "1", "60.0 %", "130.0 kB"],
        ["2.0", "2", "75.0 ± 7.1 %", "130.0 ± 14.1 kB"],
    ]


def test_any_other_gene_can_be_asked_for(run):
    page = Page(write(run, gene="block1_module_a"))
    assert page.rows("genes", "Mean accuracy and size by block1 module a") == [
        ["dsc3", "5", "70.0 ± 15.8 %", "120.0 ± 15.8 kB"]
    ]
    with pytest.raises(KerasnasError, match="unknown gene 'depth'.*growth"):
        write(run, gene="depth")


def test_winners_are_told_by_both_rules_when_they_are_one_trial(run):
    write_winners(run, loss=1)
    page = Page(write(run))
    assert "trial 1: highest accuracy and lowest loss, chosen" in page.text("sizes")
    assert "trial 1 (accuracy and loss)" in page.text("curves")


def test_every_precision_has_its_scores_and_a_picture_unless_it_is_the_same(page):
    rows = page.rows("held-out", "Scores on 20 held-out clips")
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("Keras, float32", "85.0 %", "17 of 20"),
        ("TFLite, float16", "85.0 %", "17 of 20"),
        ("TFLite, int8", "80.0 %", "16 of 20"),
    ]
    assert page.pictures("held-out") == 2
    assert "TFLite, float16: the same confusion matrix as Keras, float32." in page.text("held-out")


def test_the_network_is_listed_layer_by_layer(page):
    rows = page.rows("network", "Layers of trial 1")
    # model_a on 32 x 16 x 1 inputs, by hand: the stem is 3·3·1·76 weights and 4·76 of its
    # normalisation, at 32·16 places; the third block widens 133 channels to int(1.75 · 133) = 232.
    assert ["1 · stem", "conv 3×3, BN, silu", "32 × 16 × 76", "988", "350 208"] in rows
    assert ["7 · pool", "max pool 2×2", "8 × 4 × 232", "", ""] in rows
    assert ["9 · dense", "dense, softmax", "3", "699", "696"] in rows


def test_trials_are_ranked_and_failures_explained(page):
    best = page.rows("trials", "The best 5 of 5")
    assert [row[0] for row in best] == ["1 (chosen)", "4", "2", "3", "0"]
    assert best[0][1:5] == ["90.0 %", "0.600", "85.0 %", "110.0 kB"]
    failed = page.rows("trials", "1 failed trial")
    reason = "died: <script>alert('dog')</script>"
    assert failed == [["5", reason, "blocks 2, growth 1.0; block1: ir3"]]


def test_exported_files_are_listed_with_every_check(page):
    rows = {row[0]: row[1:] for row in page.rows("export", "Measured on the files")}
    assert rows["bytes"] == ["220 000", "111 222"]
    assert rows["predicted bytes"] == ["221 234 (+0.6 %)", "112 456 (+1.1 %)"]
    assert rows["latency, 95th percentile"] == ["4.56 ms", "4.56 ms"]
    assert rows["bytes of the stock converter's file"] == ["440 000 (-50.0 %)", "222 444 (-50.0 %)"]
    assert rows["operators that XNNPACK takes"] == ["75.0 %", "75.0 %"]
    assert rows["operators"] == ["7 CONV_2D version 3 1 MEAN version 2"] * 2
    assert rows["minimum TensorFlow Lite runtime"] == ["not stated", "2.5.0"]
    assert rows["operators in float"] == ["none", "none"]
    assert [row[1] for row in page.rows("export", "Checks")] == ["✗ failed", "✓ passed"]


def test_a_file_whose_scores_are_not_finite_is_still_listed(run):
    whole = whole_file("int8", 40_000, 111_222)
    export_report(
        largest_difference=None, recurrent="fused_lstm", keeps_state=True, waveform=whole
    ).write(RunPaths(run).export.report)
    page = Page(write(run))
    rows = {row[0]: row[1:] for row in page.rows("export", "Measured on the files")}
    assert rows["largest difference of a score"][1] == "not finite"
    assert rows["form"][1].endswith("fused lstm; keeps state: reset between clips")
    rows = {row[0]: row[1:] for row in page.rows("export", "Files that take the waveform")}
    assert rows["bytes"] == ["151 222"]
    assert rows["of them front end"] == ["40 000"]
    assert rows["of them classifier"] == ["111 222"]
    assert rows["MediaPipe takes it"] == ["no"]


def test_microcontrollers_and_layers_have_tables_of_their_own(run):
    micro = records.MicroEntry(
        file="model_int8.cc",
        sha256="0" * 64,
        header=records.SourceEntry("model_int8.h", "0" * 64),
        arena_bytes=23_456,
        tensor_bytes=20_000,
        lasting_bytes=3_456,
        operators=("CONV_2D", "MEAN"),
        resolver=("AddConv2D", "AddMean"),
        examples=16,
        steps={"mean": 0.25, "most": 2.0, "step": 1 / 256},
        verdict="passed",
    )
    layer = records.LayerEntry("conv", "CONV_2D", 1_234, 5_678_000, 0.0123, 0.01, None)
    export_report(micro=micro, layers=(layer,), larger="it has many channels", slow="loops").write(
        RunPaths(run).export.report
    )
    page = Page(write(run))
    rows = {row[0]: row[1:] for row in page.rows("export", "On microcontrollers")}
    assert rows["arena, bytes"] == ["23 456"]
    assert rows["steps that scores are off LiteRT's, mean and most"] == ["0.25, 2"]
    (row,) = page.rows("export", "Layers of model_int8.tflite")
    assert row == ["conv", "CONV_2D", "1 234", "5 678 000", "1.2 %", "1.0 %", "–"]
    assert "it has many channels" in page.text("export")
    assert "model_int8.tflite: loops." in page.text("export")


def test_folds_are_listed_with_the_held_out_one_marked(page):
    rows = page.rows("folds", "The chosen network: accuracy by fold")
    assert rows[0] == ["fold 1", "0", "80", "91.0 %", "91.0 %", "88.5 %", "80.0 %"]
    assert rows[4][0] == "fold 5 (held out)"
    assert rows[5][-2:] == ["90.5 %", "80.0 %"]
    assert "fold 2, seed 0: The network loses." in page.text("folds")
    assert "93.0 % ± 1.6 % (standard deviation)" in page.text("folds")


def test_the_experiment_is_shown_whole(page, whole_run):
    (shown,) = page.section("selection").iter("pre")
    assert shown.text == (whole_run / "experiment.yaml").read_text()
    assert "20 % of the training folds; held out is fold 5" in page.text("selection")


def test_choices_on_the_test_clips_are_called_optimistic(run):
    text = (run / "experiment.yaml").read_text()
    split = "split:\n  by: split\n  validation: test_list\n"
    (run / "experiment.yaml").write_text(split + text[text.index("search:") :])
    page = Page(write(run))
    assert "The architecture was chosen on these clips: the figure is opt" in page.text("summary")
    assert "Nothing was chosen on these clips" not in page.text("summary")
    assert "those that networks are tested on" in page.text("selection")
    assert "nothing was chosen on them" not in page.text("trials")
    assert "**Optimistic**" in (run / "MODEL_CARD.md").read_text()


def test_names_cannot_run_code_or_load_anything(page):
    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.seen, self.links = set(), set()

        def handle_starttag(self, tag, attributes):
            self.seen.add(tag)
            for name, value in attributes:
                assert not name.startswith("on")
                if name in ("href", "src", "xlink:href"):
                    self.links.add(value)

    tags = Tags()
    tags.feed(page.source)
    assert not tags.seen & {"script", "link", "img", "iframe", "object", "embed"}
    assert all(link.startswith(("#", "data:image/png")) for link in tags.links)
    assert "://" not in page.source
    assert re.findall(r"url\((?!#)", page.source) == []
    (policy,) = page.root.findall("head/meta[@http-equiv='Content-Security-Policy']")
    assert "default-src 'none'" in policy.attrib["content"]


def test_ids_are_unique_and_every_reference_is_met(page):
    ids = [e.attrib["id"] for e in page.root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([^")]+)', page.source)
    assert set(used) <= set(ids)


@pytest.mark.usefixtures("drawn")
def test_the_same_run_gives_the_same_page(run):
    assert write(run).read_bytes() == write(run).read_bytes()


def test_an_unfinished_search_says_what_is_missing(run):
    for name in ("winners", "export", "train"):
        shutil.rmtree(run / name)
    (run / "winners.json").unlink()
    (run / "search.json").unlink()
    page = Page(write(run))
    expected = [section for section in SECTIONS if section != "classes"]  # nothing is scored yet
    assert [s.attrib["id"] for s in page.root.iter("section")] == expected
    assert page.pictures("sizes") == 1
    assert "No winner has been trained yet." in page.text("summary")
    assert "has not been exported" in page.text("export")
    assert "--folds all" in page.text("folds")
    assert "proposals" not in page.text("sizes")


def test_a_winner_by_two_rules_is_told_with_the_figure_of_the_rule_that_chose_it(run):
    write_winners(run, chosen="loss", loss=1)
    text = Page(write(run)).text("summary")
    assert "Trial 1 was chosen for its lowest validation loss (0.600)" in text


def test_a_winner_by_several_objectives_is_told_with_all_of_them(run):
    entry = records.WinnerEntry(1, "winners/accuracy", "knee of the front", None)
    records.Winners({"middle": entry}, "middle").write(RunPaths(run).winners)
    text = Page(write(run)).text("summary")
    assert "its knee of the front (accuracy 90.0 %, loss 0.600) among" in text


def test_candidates_are_compared_by_the_gene_that_the_search_space_names(run):
    write_state(run, headline_gene="stem")
    assert len(Page(write(run)).rows("genes", "Mean accuracy and size by stem")) == 5
    write_state(run, headline_gene=None)  # the first of which there are several values
    assert len(Page(write(run)).rows("genes", "Mean accuracy and size by growth")) == 3


def test_a_page_needs_neither_keras_nor_the_search_that_made_the_run(run):
    code = (
        "import sys; from pathlib import Path; from kerasnas.report import write; "
        "assert 'matplotlib' not in sys.modules; write(Path(sys.argv[1])); "
        "assert not {'keras', 'tensorflow', 'kerasnas.models', 'librosa'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, run], check=True)
    assert "1 · stem" in Page(run / "report.html").text("network")


def test_several_labels_give_tables_of_tags(run, evaluation):
    write_trials(run, "mean_average_precision")
    labels = np.array(evaluation().labels)
    labels[:, 0] = 0
    scores = {"loss": 0.2, "mean_average_precision": 0.87654, "scored_classes": 2.0}
    tagged = evaluation(confusion=None, labels=labels, metrics=scores)
    for name in ("winners/accuracy/evaluation.json", "export/evaluation_int8.json"):
        tagged.write(run / name)
    (run / "export/evaluation_float16.json").unlink()
    page = Page(write(run))
    assert page.pictures("held-out") == 0
    rows = page.rows("held-out", "TFLite, int8: tags on 20")
    assert rows[0][:4] == ["alarm & bell", "0", "0.000", "–"]
    # $peech: 7 clips, 6 of them answered, and one of another label's taken for it
    assert rows[1][:3] == ["$peech", "7", f"{2 * 6 / (7 + 7):.3f}"]
    assert "mean average precision 0.877" in page.text("summary")
    assert "tuned F1" not in page.text("held-out")  # no threshold was chosen


def test_folds_that_the_search_did_not_keep_apart_are_optimistic(run):
    assert "optimistic" not in Page(write(run)).text("folds")
    path = RunPaths(run).experiment
    text = path.read_text()
    path.write_text(text.replace("by: fold\n  test_fold: '5'", "by: fractions\n  test_fold: null"))
    assert "figures over folds are optimistic" in Page(write(run)).text("folds")


def test_an_interval_stands_beside_an_accuracy_only(run):
    assert "64.0 % to 94.8 %, 20 clips" in Page(write(run)).text("summary")
    write_trials(run, "macro_f1")
    text = Page(write(run)).text("summary")
    assert "17 of 20 clips right" in text
    assert "94.8 %, 20 clips" not in text


def test_one_candidate_alone_is_drawn(run):
    write_trials(run, only=slice(1, 2))
    page = Page(write(run))
    assert page.pictures("sizes") == page.pictures("genes") == 1
    assert "median candidate on" not in page.text("summary")


@pytest.mark.usefixtures("drawn")
def test_fifty_classes_are_drawn_in_one_picture_of_bounded_size(run, evaluation):
    classes = tuple(f"class number {n}" for n in range(50))
    evaluation(17, classes).write(RunPaths(run).winner("accuracy").evaluation)
    shutil.rmtree(run / "export")
    path = write(run)
    assert Page(path).pictures("held-out") == 1
    assert path.stat().st_size < 1_000_000


def test_names_in_any_script_are_kept(run):
    text = (run / "experiment.yaml").read_text().replace("kitchen", "кухня 厨房")
    (run / "experiment.yaml").write_text(text, encoding="utf-8")
    assert Page(write(run)).root.find("body/header/h1").text == "кухня 厨房"
