"""What report and card say of a pretrained network."""

from pathlib import Path

import yaml

from kerasnas.report.model_card import model_card
from kerasnas.report.page import page
from kerasnas.report.reading import chosen, training_of
from kerasnas.report.sections.trunk import origin
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import FineTuned
from kerasnas.runs.run import Run

DIGEST = "ab" * 32


def made_with(run: Path, **changes: object) -> None:
    path = RunPaths(run).experiment
    settings = yaml.safe_load(path.read_text())
    settings["model"] = {
        "space": "pretrained",
        "file": "/somewhere/yamnet.tflite",
        "sha256": DIGEST,
        "licence": "Apache License.",
    } | changes
    path.write_text(yaml.safe_dump(settings))


def test_the_file_its_digest_and_its_licence_are_named(run: Path) -> None:
    card = model_card(run)
    assert card is not None
    assert "pretrained" not in card
    assert "With a pretrained network" not in page(run)
    made_with(run)
    card, whole = model_card(run), page(run)
    assert card is not None
    for text in (card, whole):
        assert f"yamnet.tflite (SHA-256 {DIGEST}; licence: Apache License)" in text
    assert "With a pretrained network" in whole
    assert "Fitted again, it gets" in whole
    assert "From scratch:" not in whole


def test_a_file_without_a_licence_sends_to_its_page(run: Path) -> None:
    made_with(run, licence=None)
    card = model_card(run)
    assert card is not None
    assert "licence: the file states none: see the page that it comes from" in card


def test_gentle_training_is_told_with_its_verdict(run: Path) -> None:
    made_with(run)
    assert "further was judged" not in page(run)
    training = training_of(Run.read(run), chosen(Run.read(run)))
    before, after = {"loss": 0.25, "accuracy": 0.9}, {"loss": 0.5, "accuracy": 0.8}
    FineTuned("last", 40, before, after, False).write(training.fine_tuning)
    whole = page(run)
    assert "last block further was judged on 40 clips that were not trained on" in whole
    assert "loss 0.250 before and 0.500 after" in whole
    assert "The network is without it." in whole
    FineTuned("all", 40, after, before, True).write(training.fine_tuning)
    assert "The network has it." in page(run)


def test_both_kinds_are_told_where_both_were_searched(run: Path) -> None:
    made_with(run, from_scratch={"share": 0.2})
    assert "From scratch: no candidate was scored." in page(run)
    read = Run.read(run)
    (trial, *_) = read.trials.completed
    assert origin(read, trial) is not None
    trial.values["start"] = "scratch"
    assert origin(read, trial) is None
