"""Directories of streams: lists in every format, their mistakes, and who uses which stream."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.datasets.streams.event_lists import (
    check_ends,
    check_labels,
    check_overlaps,
    read_events,
)
from kerasnas.datasets.streams.split import check_other_sources, split_streams
from kerasnas.datasets.streams.streams import read_streams
from kerasnas.datasets.table import Problems
from kerasnas.decisions import Event
from kerasnas.errors import KerasnasError

WANTED = [Event("dog", 0.5, 1.25), Event("door slam", 2.0, 3.0)]
LISTS = {
    "a.txt": "0.5\t1.25\tdog\n\\\t200.0\t4000.0\n2.0\t3\tdoor slam\n",
    "a.csv": "start,end,label\n0.5,1.25,dog\n2.0,3.0,door slam\n",
    "b.csv": "label,start,stop,confidence\ndog,0.5,1.25,1\ndoor slam,2,3,1\n",
    "a.tsv": "onset\toffset\tevent_label\n0.5\t1.25\tdog\n2.0\t3.0\tdoor slam\n",
    "b.tsv": "0.5\t1.25\tdog\n2.0\t3.0\tdoor slam\n",
}


def recording(path: Path, seed: int = 0, seconds: float = 4.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, round(8000 * seconds))
    soundfile.write(path, noise, 8000)
    return path


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_read_in_the_formats_that_people_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(LISTS[name])
    problems = Problems()
    found = read_events(path, problems)
    problems.check()
    assert [line.event for line in found] == WANTED
    assert found[0].where == f"{path}:{1 if name in ('a.txt', 'b.tsv') else 2}"


def problems_of(path: Path, text: str) -> str:
    path.write_text(text)
    problems = Problems()
    lines = read_events(path, problems)
    check_overlaps(lines, problems)
    check_ends(lines, 10.0, problems)
    check_labels(lines, ("dog", "rain"), problems)
    with pytest.raises(KerasnasError) as raised:
        problems.check()
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2.0\t1.0\tdog\n", "a.txt:1: dog ends before it starts (2 to 1 s)"),
        ("2.0\t2.0\tdog\n", "a.txt:1: dog ends where it starts (2 to 2 s)"),
        ("0,5\t1,0\tdog\n", "a.txt:1: '0,5' is no number of seconds from 0 on; write 12.5"),
        ("-1\t1.0\tdog\n", "a.txt:1: '-1' is no number of seconds from 0 on"),
        ("0\tnan\tdog\n", "a.txt:1: 'nan' is no number of seconds"),
        ("0\t1\t\n", "a.txt:1: the event has no label"),
        ("0\t1\n", "a.txt:1: 2 fields where a line has 3"),
        (
            "0\t2\tdog\n1\t3\train\n1.5\t3\tdog\n",
            "a.txt:3: dog from 1.5 s on begins before that of ",
        ),
        ("8\t11\tdog\n", "a.txt:1: dog ends at 11 s, and the recording at 10.00 s"),
        (
            "0\t1\tdgo\n2\t3\tdgo\n",
            "the network has no class dgo; dog is meant? (it has dog, rain)",
        ),
    ],
)
def test_what_is_wrong_in_a_list_is_named_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    said = problems_of(tmp_path / "a.txt", text)
    assert message in said
    assert len(said.splitlines()) == 1


def test_what_is_right_or_nearly_so_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0\t2\tdog\n2\t3\tdog\n1\t10.05\train\n4\t5\tother\n")
    problems = Problems()
    lines = read_events(path, problems)
    check_overlaps(lines, problems)
    check_labels(lines, ("dog", "rain"), problems)
    found = check_ends(lines, 10.0, problems)
    problems.check()
    assert found[2] == Event("rain", 1.0, 10.0)


def test_a_directory_is_read_with_the_lists_beside_its_recordings(tmp_path: Path) -> None:
    recording(tmp_path / "day" / "a.wav", 1)
    recording(tmp_path / "b.flac", 2)
    recording(tmp_path / "c.wav", 3)
    (tmp_path / "day" / "a.txt").write_text("0.5\t1\tdog\n")
    (tmp_path / "events.tsv").write_text(
        "filename\tonset\toffset\tevent_label\nb.flac\t1\t2\train\n"
    )
    (tmp_path / "c.sources.csv").write_text("start,stop,source\n0,4,kitchen\n1,2,dog7\n")
    (tmp_path / "README.txt").write_text("Recorded at home.\n")
    found = {stream.id: stream for stream in read_streams(tmp_path).streams}
    events = {name: [line.event for line in each.lines] for name, each in found.items()}
    assert events == {
        "b.flac": [Event("rain", 1, 2)],
        "c.wav": [],
        "day/a.wav": [Event("dog", 0.5, 1)],
    }
    assert {"kitchen", "dog7"} < found["c.wav"].sources
    assert found["b.flac"].sources.isdisjoint(found["c.wav"].sources)


def test_a_list_without_its_recording_is_not_taken_for_silence(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    (tmp_path / "A1.txt").write_text("0\t1\tdog\n")
    with pytest.raises(KerasnasError, match=r"A1\.txt: no recording has this name"):
        read_streams(tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("filename\nmissing.wav\n", r"streams\.csv:2: .*missing\.wav does not exist"),
        ("filename,split\na.wav,dev\n", r"streams\.csv:2: split is dev; allowed are train"),
        ("filename\na.wav\na.wav\n", r"streams\.csv:3: a\.wav is listed twice, first in .*:2"),
        ("filename,events\na.wav,none.txt\n", r"the list of events .*none\.txt does not exist"),
        ("filename\n", "no recordings found"),
    ],
)
def test_what_is_wrong_in_the_table_is_named(tmp_path: Path, table: str, message: str) -> None:
    recording(tmp_path / "a.wav")
    (tmp_path / "streams.csv").write_text(table)
    with pytest.raises(KerasnasError, match=message):
        read_streams(tmp_path)


def test_no_directory_of_streams(tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="does not exist; give a directory"):
        read_streams(tmp_path / "none")
    with pytest.raises(KerasnasError, match="no recordings found"):
        read_streams(tmp_path)


def test_streams_of_one_source_stay_together(tmp_path: Path) -> None:
    for number in range(6):
        recording(tmp_path / f"{number}.wav", number)
    recording(tmp_path / "6.wav", 0)  # a copy of 0.wav
    (tmp_path / "1.sources.csv").write_text("start,stop,source\n0,4,x\n")
    (tmp_path / "2.sources.csv").write_text("start,stop,source\n0,4,x\n")
    for seed in range(5):
        parted = split_streams(read_streams(tmp_path), seed)
        split = {stream.id: stream.split for stream in parted.streams}
        assert split["0.wav"] == split["6.wav"]
        assert split["1.wav"] == split["2.wav"]
        assert set(split.values()) == {"validation", "test"}
        assert split_streams(read_streams(tmp_path), seed) == parted


@pytest.mark.parametrize("column", ["source", "copy"])
def test_sound_that_chooses_and_is_tested_on_is_refused(tmp_path: Path, column: str) -> None:
    recording(tmp_path / "a.wav", 1)
    recording(tmp_path / "b.wav", 1 if column == "copy" else 2)
    names = ("home", "garden") if column == "copy" else ("home", "home")
    (tmp_path / "streams.csv").write_text(
        f"filename,source,split\na.wav,{names[0]},validation\nb.wav,{names[1]},test\n"
    )
    with pytest.raises(KerasnasError, match=r"is heard in a\.wav, which is split validation"):
        split_streams(read_streams(tmp_path), 0)


def test_a_copy_counts_as_its_original_whatever_it_is_called(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    recording(tmp_path / "b.wav", 1)
    (tmp_path / "streams.csv").write_text("filename,source\na.wav,home\nb.wav,garden\n")
    assert {stream.source for stream in read_streams(tmp_path).streams} == {"home"}


def test_streams_that_cannot_be_parted_are_refused(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    with pytest.raises(KerasnasError, match="all streams share their sources"):
        split_streams(read_streams(tmp_path), 0)
    recording(tmp_path / "b.wav", 2)
    (tmp_path / "streams.csv").write_text("filename,split\na.wav,test\nb.wav,\n")
    with pytest.raises(KerasnasError, match=r"b\.wav has no split, and others have"):
        split_streams(read_streams(tmp_path), 0)


def test_sources_that_were_used_before_are_refused(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    (stream,) = read_streams(tmp_path).streams
    check_other_sources([stream], ["another"], "was mined")
    with pytest.raises(KerasnasError, match=r"a\.wav: its source .* was mined"):
        check_other_sources([stream], [stream.digest], "was mined")
