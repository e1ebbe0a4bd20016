"""The journal: nothing half-written is read back, and nobody else's file is touched."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from kerasnas.tuners import JournalError
from kerasnas.tuners.core.storage import journal as journal_module
from kerasnas.tuners.core.storage.chain import FORMAT, SCHEMA, parse
from kerasnas.tuners.core.storage.journal import Journal

HEADER = {"identity": {"seed": 0}}
EVENTS = [{"event": "open", "elapsed": 0.0, "text": "grün\n"}, {"event": "open", "elapsed": 1.5}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "journal.jsonl"


def write(path, events=EVENTS):
    with Journal(path, HEADER) as journal:
        for event in events:
            journal.append(event)
    return path.read_bytes()


def read(path):
    with Journal(path, HEADER) as journal:
        return list(journal.events), journal.dropped


def test_events_come_back(path):
    write(path)
    assert read(path) == (EVENTS, 0)


def test_header_is_kept_as_first_written(path):
    write(path)
    with Journal(path, {"identity": {"seed": 1}}) as journal:
        assert journal.header == {"format": FORMAT, "schema": SCHEMA, **HEADER}


def test_appending_does_not_rewrite(path):
    before = write(path)
    write(path, EVENTS[:1])
    assert path.read_bytes().startswith(before)


def test_cut_at_every_byte(path):
    whole = write(path)
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        events, dropped = read(path)
        assert events == EVENTS[: max(complete - 1, 0)]
        assert dropped == cut - ([0, *ends][complete])
        write(path, [])  # usable again
        assert read(path)[1] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", r"is no journal of a search \(its first line is b'a,b'\)"),
        (b"a,b", "is no journal of a search"),
        (b"\xff\xfe\n", "is no journal of a search"),
        (b'{"format": "other", "schema": 1}\n', "is no journal of a search"),
        (b"[1]\n", "is no journal of a search"),
        (f'{{"format": "{FORMAT}", "schema": 2}}\n'.encode(), "has schema 2, and this .* reads 1"),
        (
            f'{{"n":1,"format":"{FORMAT}","schema":3,"crc":"00000000"}}\n'.encode(),
            "has schema 3, and this .* reads 1",
        ),
    ],
)
def test_foreign_and_newer_files_are_refused_untouched(path, content, message):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(JournalError, match=message):
        Journal(path, HEADER)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", [b"{]", b"1", b"{}", b"\x00" * 9, b'"event elapsed"'])
def test_damage_in_the_middle_is_refused_with_its_line(path, damage):
    lines = write(path).split(b"\n")
    content = b"\n".join([lines[0], damage, *lines[1:]])
    path.write_bytes(content)
    with pytest.raises(JournalError, match="line 2 is damaged"):
        Journal(path, HEADER)
    assert path.read_bytes() == content


def test_not_a_number_is_never_written(path):
    with Journal(path, HEADER) as journal:
        before = path.read_bytes()
        with pytest.raises(ValueError, match="JSON compliant"):
            journal.append({"event": "open", "elapsed": float("nan")})
        with pytest.raises(ValueError, match="its own 'n' and 'crc'"):
            journal.append({"event": "open", "elapsed": 0.0, "crc": 1})
        assert path.read_bytes() == before


class FullDisk:
    """`os`, but the disk takes only so many more bytes."""

    def __init__(self, room):
        self.room = room

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, file, data):
        taken = os.write(file, bytes(data[: self.room])) if self.room else 0
        self.room -= taken
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return taken


@pytest.mark.parametrize("room", [0, 1, 10])
def test_full_disk_loses_the_event_and_nothing_else(path, room, monkeypatch):
    write(path)
    with Journal(path, HEADER) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(journal_module, "os", FullDisk(room))
            with pytest.raises(JournalError, match="No space left on device.*make room"):
                journal.append({"event": "open", "elapsed": 2.0})
        assert read_lines(path) == EVENTS
        journal.append({"event": "open", "elapsed": 3.0})
    assert read(path) == ([*EVENTS, {"event": "open", "elapsed": 3.0}], 0)


def test_half_a_line_that_cannot_be_taken_back_ends_the_journal(path, monkeypatch):
    write(path)
    disk = FullDisk(5)
    disk.ftruncate = lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error"))
    with Journal(path, HEADER) as journal, monkeypatch.context() as patch:
        patch.setattr(journal_module, "os", disk)
        for _ in range(2):
            with pytest.raises(JournalError):
                journal.append({"event": "open", "elapsed": 2.0})
        assert journal.closed
    assert read(path) == (EVENTS, 5)


def read_lines(path):
    return parse(path.read_bytes(), path).events


HOLD = """
import os, sys
from kerasnas.tuners.core.storage.journal import Journal
journal = Journal(sys.argv[1], {})
journal.append({"event": "open", "elapsed": 0, "pid": os.getpid(), "host": "here"})
print("open", flush=True)
sys.stdin.read()
"""


def test_live_process_keeps_others_out_and_a_killed_one_does_not(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        content = path.read_bytes()
        with pytest.raises(JournalError, match=f"deep is in use by process {holder.pid} on here"):
            Journal(path, HEADER)
        with pytest.raises(JournalError, match="in use"):
            Journal(path, HEADER, take_over=True)
        assert path.read_bytes() == content
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert len(read(path)[0]) == 1


FORK = """
import os, sys, time
from kerasnas.tuners import Gene, JournalError, Search
search = Search([Gene("x", values=(1, 2))], [("y", "max")], max_trials=1, directory=sys.argv[1])
trial = search.ask()
if child := os.fork():
    os.write(1, b"%d\\n" % child)
    sys.stdin.read()
try:
    search.tell(trial.id, {"y": 1.0})
except JournalError as error:
    os.write(1, f"{error}\\n".encode())
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_holds_no_lock_and_appends_nothing(path):
    command = [sys.executable, "-c", FORK, str(path.parent)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        child, said = sorted([process.stdout.readline(), process.stdout.readline()], key=len)
        assert "which was forked" in said
        process.kill()
        process.wait()
        os.kill(int(child), 0)  # it lives on
        assert [event["event"] for event in read(path)[0]] == ["open", "genes", "start"]
    finally:
        process.kill()
        process.communicate()


def test_a_holder_that_has_died_is_said_to_have(path, monkeypatch):
    with Journal(path, HEADER) as journal:
        for pid, words in [(os.getpid(), f"process {os.getpid()} on"), (2**22 + 1, "has died")]:
            journal.append({"event": "open", "pid": pid, "host": socket.gethostname()})
            with pytest.raises(JournalError, match=f"in use by .*{words}"):
                Journal(path, HEADER)


@pytest.mark.parametrize("fate", ["deleted", "moved", "replaced"])
def test_a_journal_that_is_not_there_any_more_ends_the_search(path, fate):
    with Journal(path, HEADER) as journal:
        if fate == "deleted":
            shutil.rmtree(path.parent)
        else:
            path.parent.rename(path.parent.with_name("elsewhere"))
        if fate == "replaced":
            path.parent.mkdir()
            path.write_text("")
        with pytest.raises(JournalError, match="was deleted, moved or replaced.*put it back"):
            journal.append(EVENTS[0])
        assert journal.closed
        assert fate == "replaced" or not path.parent.exists()


def test_take_over_within_the_process(path):
    first = Journal(path, HEADER)
    with pytest.raises(JournalError, match="in use"):
        Journal(path, HEADER)
    second = Journal(path, HEADER, take_over=True)
    with pytest.raises(JournalError, match="is closed"):
        first.append(EVENTS[0])
    second.append(EVENTS[0])
    second.close()
    assert read(path) == (EVENTS[:1], 0)


def test_a_line_that_another_has_added_is_not_followed_by_one_of_ours(path):
    with Journal(path, HEADER) as journal:
        with path.open("ab") as file:
            file.write(b"{}\n")
        with pytest.raises(JournalError, match="is closed"):
            journal.append(EVENTS[0])


def test_a_new_journal_and_its_names_reach_the_disk_before_anything_is_appended(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    with Journal(path, HEADER) as journal:
        assert {path.stat().st_ino, path.parent.stat().st_ino} <= set(synced)
        assert path.parent.parent.stat().st_ino in synced, "it holds a directory made just now"
        synced.clear()
        journal.append(EVENTS[0])
        assert synced == []
        journal.append(EVENTS[1], durable=True)
        assert synced == [path.stat().st_ino]


def test_directory_in_place_of_the_file(tmp_path):
    with pytest.raises(JournalError, match="cannot open the journal .*: Is a directory"):
        Journal(tmp_path, HEADER)
