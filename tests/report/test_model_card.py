from pathlib import Path

import yaml

from kerasnas.report import write
from kerasnas.report.model_card import model_card
from kerasnas.report.statistics import wilson
from kerasnas.runs.layout import RunPaths

from .conftest import CLASSES, COUNT, HOSTILE, export_report, whole_file, write_trials


def _rows(card: str, heading: str) -> list[list[str]]:
    """Cells of the table in a section."""
    section = (
        card.replace("\N{NARROW NO-BREAK SPACE}", " ").split(f"## {heading}\n")[1].split("\n## ")[0]
    )
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_a_card_says_what_how_good_and_how_to_run(run: Path):
    card = model_card(run)
    assert card is not None
    assert f"one label a clip, {len(CLASSES)} classes" in card
    assert HOSTILE not in card and HOSTILE.replace("<", "\\<").replace(">", "\\>") in card
    keras, float16, int8 = _rows(card, "Accuracy on held-out clips")
    low, high = wilson(0.85 * COUNT, COUNT)
    assert keras[1:3] == ["85.0 %", f"{100 * low:.1f} % to {100 * high:.1f} %"]
    assert int8[3:] == ["1.0 %, ≤ 2.5 %", "98.5 %"]
    assert [row[0] for row in (float16, int8)] == ["`model_float16.tflite`", "`model_int8.tflite`"]
    half, whole = _rows(card, "Files")
    assert half[-1] == "failed" and whole[2] == "111 222"
    assert "- failed: model_float16.tflite has 220,000 bytes" in card
    for word in ("interpreter.invoke()", "```kotlin", "```swift", "kerasnas predict"):
        assert word in card
    assert "allocateDirect(4 * 512)" in card  # 32 frames of 16 bins


def test_a_hub_reads_the_header(run: Path):
    write_trials(run, "macro_f1")
    path = run / "experiment.yaml"
    path.write_text("data: {dataset: 'my: clips'}\n" + path.read_text())
    _, header, card = (model_card(run) or "").split("---\n", 2)
    assert card.lstrip().startswith("# Model card: kitchen\n")
    fields = yaml.safe_load(header)
    assert (fields["pipeline_tag"], fields["library_name"]) == ("audio-classification", "litert")
    assert fields["metrics"] == ["accuracy", "macro_f1"]
    (index,) = fields["model-index"]
    (result,) = index["results"]
    assert (index["name"], result["dataset"]["name"]) == ("kitchen", "my: clips")
    assert {"type": "accuracy", "name": "accuracy of model_int8.tflite", "value": 0.84} in result[
        "metrics"
    ]
    assert {each["value"] for each in result["metrics"] if each["type"] == "macro_f1"} == {0.8123}
    assert fields["sha256"]["model_int8.tflite"] == "0" * 64


def test_silent_ends_that_are_cut_are_said(run: Path):
    assert "silent ends" not in (model_card(run) or "")
    path = run / "experiment.yaml"
    path.write_text("features: {trim: 40}\n" + path.read_text())
    card = model_card(run)
    assert card is not None
    assert "samples 40 dB below its largest one" in card
    assert "an app that listens on, in windows or frame by frame, has no ends to cut" in card


def test_the_score_that_networks_are_judged_by_stands_beside_the_accuracy(run: Path):
    write_trials(run, "macro_f1")
    card = model_card(run)
    assert card is not None
    assert "| 95 % interval | macro F1 | loss, upper" in card
    rows = _rows(card, "Accuracy on held-out clips")
    assert [row[3] for row in rows] == ["0.812"] * 3


def test_the_architecture_is_a_table_whose_parameters_add_up(run: Path):
    from kerasnas.models.wu_lee import WuLeeSpace

    card = model_card(run)
    assert card is not None
    rows = _rows(card, "Architecture")
    number = sum(int(row[3].replace(" ", "")) for row in rows)
    space = WuLeeSpace((32, 16, 1), len(CLASSES))
    cost = space.architecture(space.references["model_a"]).cost()
    assert number == cost.parameters


def test_several_tags_have_an_interval_over_clips(run: Path):
    export_report(task="multi_label").write(RunPaths(run).export.report)
    card = model_card(run)
    assert card is not None
    keras, *_ = _rows(card, "Accuracy on held-out clips")
    # 17 of 20 clips have every tag right, three have one of three: mean 0.9, deviation 0.244.
    assert keras[2] == "74.3 % to 95.7 %"  # 0.85 -+ 1.96 * 0.2442 / sqrt(20)


def test_a_file_that_keeps_its_state_says_so_wherever_it_is_run(run: Path):
    path = RunPaths(run).export.report
    plain = model_card(run)
    entry = whole_file("int8", 40_000, 111_222)
    export_report(recurrent="fused_lstm", keeps_state=True, waveform=entry).write(path)
    card = model_card(run)
    assert card is not None and plain is not None
    _, whole = _rows(card, "Files")
    assert whole[1] == "full int8 with fused lstm; keeps state: reset between clips"
    for word in ("interpreter.reset_all_variables()", "resetVariableTensors()", "anew for each"):
        assert word in card and word not in plain
    (row,) = _rows(card, "Files that take the waveform")
    assert row[1:4] == ["151 222", "40 000", "111 222"]
    assert row[-2:] == ["no", "passed"]
    assert "float32 of shape (32000,), mono, full scale ±1, at 16000 Hz" in card
    assert "Files that take the waveform" not in plain
    assert "MediaPipe" not in plain and "AudioClassifier.create" not in card  # it does not reset
    entry = whole_file("int8", 40_000, 111_222, mediapipe=True)
    export_report(recurrent="fused_lstm", keeps_state=True, waveform=entry).write(path)
    taken = model_card(run)
    assert taken is not None and f"('export/{entry.file}')" in taken.replace('"', "'")


def test_a_file_of_steps_says_how_many_frames_a_call_takes(run: Path):
    export_report(recurrent="step", step_frames=4).write(RunPaths(run).export.report)
    card = model_card(run)
    assert card is not None
    frames, bins, channels = export_report().input_shape
    assert f"float32 of shape\n(1, 4, {bins}, {channels}), and the states" in card
    assert f"Scores count from {frames} frames on." in card
    assert "kerasnas listen export/" in card


def test_without_an_export_there_is_no_card(run: Path):
    (run / "export" / "export.json").unlink()
    assert model_card(run) is None
    write(run)
    assert not (run / "MODEL_CARD.md").exists()


def test_the_card_lies_beside_the_report(run: Path):
    write(run)
    assert (run / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card(run)


def test_a_damaged_export_has_no_card_and_costs_no_report(run: Path):
    path = RunPaths(run).export.report
    path.write_text(path.read_text().replace('"form"', '"from"'))
    assert model_card(run) is None
    assert write(run).is_file()
