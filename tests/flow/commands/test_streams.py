"""Decisions over time of a small search's network, and a round of mining, on synthetic streams."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.datasets.synthetic.streams import write_streams
from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.export import export_run
from kerasnas.flow.commands.predict import predict
from kerasnas.flow.commands.streams.mine import mine
from kerasnas.flow.commands.streams.retrain import accept
from kerasnas.flow.commands.streams.tune import tune_decisions
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.task import load_task
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Mined, Postprocessing, StreamDecisions
from tests.report.pages import Page

pytestmark = pytest.mark.slow

LABELS = ["alarm", "speech", "vacuum_cleaner"]


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streams")
    write_streams(root, LABELS, minutes=0.5, streams=6, rate=8000, every=3.0)
    return root


@pytest.fixture(scope="module")
def run(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(searched, tmp_path_factory.mktemp("tuned") / "small")


@pytest.fixture(scope="module")
def tuned(run: Path, streams: Path) -> StreamDecisions:
    return tune_decisions(run, streams=streams, per_hour=1200.0).record


def test_decisions_are_chosen_on_some_streams_and_measured_on_others(
    run: Path, tuned: StreamDecisions
) -> None:
    assert tuned.validation.streams == tuned.test.streams == 2
    assert set(tuned.validation.sources).isdisjoint(tuned.test.sources)
    assert tuned.test.hours == pytest.approx(1 / 60)
    assert tuned.all_classes.events == sum(each.events for each in tuned.by_class.values()) > 5
    assert tuned.all_classes.misses <= tuned.all_classes.events
    assert set(tuned.by_class) == set(LABELS)
    upper = tuned.all_classes.upper
    assert upper is not None and (tuned.verdict == "passed") == (upper <= 1200)
    assert StreamDecisions.read(RunPaths(run).streams) == tuned
    known = Postprocessing.read(RunPaths(run).export.postprocessing)
    assert known.settings == tuned.settings
    assert known.settings.hop_seconds == 0.125
    assert RunPaths(run).export.postprocessing_header.read_text().startswith("/* Written by")


def test_predict_prints_events_of_recordings_longer_than_a_clip(
    run: Path, streams: Path, tuned: StreamDecisions
) -> None:
    model, recording = RunPaths(run).export.path / tuned.file, streams / "stream02.wav"
    found = predict(model, recording)
    assert found.events
    assert found.times[1][0] == 0.125
    assert predict(model, recording, hop_seconds=0.5).events is None
    shown = CliRunner().invoke(app, ["predict", str(model), str(recording)])
    assert shown.exit_code == 0, shown.output
    first = found.events[0]
    assert f"{first.start:.2f}-{first.stop:.2f}" in shown.output
    short = streams.parent / "short.wav"
    soundfile.write(short, np.zeros(2000), 8000)
    assert predict(model, short).events is None


def test_the_report_and_the_card_have_streams(run: Path, tuned: StreamDecisions) -> None:
    page = Page(RunPaths(run).report)
    rows = page.rows("streams", "On the streams that were measured on")
    assert [row[0] for row in rows] == [*LABELS, "all", "all, by plain thresholds"]
    assert tuned.promise in page.text("streams")
    card = RunPaths(run).model_card.read_text()
    assert "## On streams" in card
    assert f"| all |  | {tuned.all_classes.events} |" in card


def test_streams_at_other_rates_and_channel_counts_give_the_same_events(
    run: Path, streams: Path, tuned: StreamDecisions, tmp_path: Path
) -> None:
    model = RunPaths(run).export.path / tuned.file
    wave, rate = soundfile.read(streams / "stream02.wav")
    soundfile.write(tmp_path / "two.wav", np.stack([wave, wave], axis=1), rate, subtype="FLOAT")
    one = predict(model, streams / "stream02.wav").events
    assert one == predict(model, tmp_path / "two.wav").events
    upsampled = np.repeat(wave, 2)
    soundfile.write(tmp_path / "fast.wav", upsampled, 2 * rate, subtype="FLOAT")
    assert predict(model, tmp_path / "fast.wav").events is not None


def test_events_that_the_network_cannot_know_are_refused_before_anything_is_scored(
    run: Path, streams: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(streams, tmp_path / "streams")
    (root / "stream01.txt").write_text("1\t2\talarn\n")
    (root / "stream02.txt").write_text("29\t99\tspeech\n")
    with pytest.raises(KerasnasError) as refused:
        tune_decisions(run, streams=root)
    assert "stream01.txt:1: the network has no class alarn; alarm is meant?" in str(refused.value)
    with pytest.raises(KerasnasError, match=r"stream02\.txt:1: speech ends at 99 s"):
        (root / "stream01.txt").write_text("")
        tune_decisions(run, streams=root)


def test_silence_is_heard_without_an_alarm(run: Path, tmp_path: Path) -> None:
    silence = tmp_path / "silence"
    silence.mkdir()
    for seconds in (120, 121):  # one is no copy of the other
        soundfile.write(silence / f"{seconds}.wav", np.zeros(8000 * seconds), 8000)
    again = shutil.copytree(run, tmp_path / "run")
    found = tune_decisions(again, streams=silence, per_hour=1.0).record
    assert (found.all_classes.events, found.all_classes.alarms) == (0, 0)
    assert found.all_classes.f1 is None
    assert found.verdict == "not proven"


def test_an_export_says_whether_it_keeps_to_the_false_alarms_that_are_allowed(
    run: Path, streams: Path, tmp_path: Path
) -> None:
    gated = RunPaths(shutil.copytree(run, tmp_path / "gated"))
    gated.streams.unlink(missing_ok=True)
    settings = yaml.safe_load(gated.experiment.read_text())
    settings["data"]["streams"] = str(streams)
    settings["export"]["false_alarms_per_hour"] = 1200.0
    gated.experiment.write_text(yaml.safe_dump(settings))

    exported = export_run(gated.path)

    rate = exported.rate
    assert rate == StreamDecisions.read(gated.streams)
    assert rate.asked == 1200.0
    assert exported.lines()[-1].endswith(rate.promise)
    exceeded = replace(exported, rate=replace(rate, verdict="failed"))
    strict = {**exported.report.settings, "on_fail": "error"}
    assert not exceeded.failed  # the experiment says on_fail: report
    assert replace(exceeded, report=replace(exported.report, settings=strict)).failed


def test_streams_are_needed_and_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="give --streams DIRECTORY, or write data: streams"):
        tune_decisions(run)
    with pytest.raises(KerasnasError, match=r"hop_seconds: 3 is not above 0 and at most"):
        write_streams(tmp_path, LABELS, minutes=0.05, streams=3, rate=8000, background_only=0)
        tune_decisions(run, streams=tmp_path, hop_seconds=3.0)


@pytest.fixture(scope="module")
def shown(run: Path, streams: Path, tuned: StreamDecisions) -> list[dict[str, str]]:
    mine(run, streams=streams, count=6)
    with (RunPaths(run).mining / "answers.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_mistakes_are_shown_with_their_sound(run: Path, shown: list[dict[str, str]]) -> None:
    assert len(shown) == 6
    assert {row["recording"] for row in shown} <= {"stream00.wav", "stream03.wav"}
    sureness = [float(row["sureness"]) for row in shown]
    assert sureness == sorted(sureness, reverse=True)
    for row in shown:
        assert row["suggested"] == (row["listed"] or "other")
        wave, rate = soundfile.read(RunPaths(run).mining / "clips" / f"{row['id']}.wav")
        assert (rate, len(wave)) == (8000, 4000)
    page = (RunPaths(run).mining / "page.html").read_text()
    assert page.count("<audio") == 6
    assert re.search(r'const IDS = \["00001"', page)
    assert "http" not in page.replace("http-equiv", "")


def test_nothing_is_shown_twice_and_no_measured_stream_is_mined(
    run: Path, streams: Path, shown: list[dict[str, str]], tmp_path: Path
) -> None:
    again = shutil.copytree(run, tmp_path / "run")
    more = mine(again, streams=streams, count=6)
    before = {(row["recording"], row["start"]) for row in shown}
    assert before.isdisjoint({(each.recording, f"{each.start:.3f}") for each in more.entries})
    root = shutil.copytree(streams, tmp_path / "streams")
    (root / "streams.csv").write_text("filename,split\nstream02.wav,train\n")
    with pytest.raises(KerasnasError, match="is one that decisions were chosen or measured on"):
        mine(again, streams=root)


def test_accepted_mistakes_are_trained_on_and_the_change_has_an_interval(
    run: Path, streams: Path, shown: list[dict[str, str]], tmp_path: Path
) -> None:
    answers = tmp_path / "answers.csv"
    said = ["accept", "refuse", "other", "speech", "", "other"]
    lines = [f"{row['id']},{answer}" for row, answer in zip(shown, said, strict=True)]
    answers.write_text("id,answer\n" + "\n".join(lines) + "\n")
    found = accept(run, answers, streams=streams)
    assert found.accepted == 4
    assert [entry.answer for entry in Mined.read(RunPaths(run).mined_record).entries] == [
        shown[0]["suggested"], "refuse", "other", "speech", None, "other",
    ]  # fmt: skip
    again = RunPaths(run).mined
    task = load_task(read_experiment(again.path))
    assert task.clips.classes == (*LABELS, "other")
    mined = [index for index, clip in enumerate(task.clips) if clip.only_trains]
    assert len(mined) == 4 and set(mined) <= set(task.split.train.tolist())
    assert again.export.labels.read_text().splitlines() == [*LABELS, "other"]
    record = StreamDecisions.read(again.streams)
    assert "other" not in record.settings.classes
    assert set(found.streams) == {"alarms_per_hour", "misses"}
    for value, low, high in (found.clips, *found.streams.values()):
        assert low <= value <= high
    with pytest.raises(KerasnasError, match="was mined, and the network was trained on"):
        (tmp_path / "other").mkdir()
        for name in ("stream00.wav", "stream01.wav"):
            shutil.copy(streams / name, tmp_path / "other" / name)
        tune_decisions(run, streams=tmp_path / "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,answer\n99,accept\n", r"answers\.csv:2: no mistake has the id '99'"),
        ("id,answer\n00001,dog\n", r"answers\.csv:2: 'dog' is no answer; it can be accept"),
        ("id,answer\n00001,refuse\n", "nothing is accepted"),
    ],
)
def test_answers_that_cannot_be_used_are_named(
    run: Path, shown: list[dict[str, str]], tmp_path: Path, text: str, message: str
) -> None:
    again = shutil.copytree(run, tmp_path / "run")
    paths = RunPaths(again)
    known = Mined.read(paths.mined_record)
    entries = tuple(replace(entry, answer=None) for entry in known.entries)
    Mined(known.sources, entries).write(paths.mined_record)
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(KerasnasError, match=message):
        accept(again, tmp_path / "answers.csv")
