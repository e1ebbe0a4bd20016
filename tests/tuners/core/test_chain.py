"""A journal cannot lie: whatever is changed, lost, repeated, moved or added is noticed."""

import random

import pytest

from kerasnas.tuners import JournalError, repair
from kerasnas.tuners.core.chain import parse, scan
from kerasnas.tuners.core.journal import Journal

HEADER = {"identity": {"seed": 0, "objectives": [["accuracy", "max"]]}}


def event(number):
    info = {"crc": "0badcafe", "text": 'grün, "crc":"00000000"}'} if number % 3 else {}
    return {"event": "finish", "elapsed": number / 8, "id": f"{number:04d}", "info": info}


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A function: the bytes of a journal of so many events."""

    def write(count):
        path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
        with Journal(path, HEADER) as opened:
            for number in range(count):
                opened.append(event(number))
        return path.read_bytes()

    return write


def believed(data, path):
    """The header and events of what is taken for a journal; None when it is refused."""
    try:
        found = parse(data, path)
    except JournalError:
        return None
    return None if found.header is None else (found.header, found.events)


def test_a_journal_is_read_as_written(journal, tmp_path):
    data = journal(5)
    found = parse(data, tmp_path)
    assert found.events == [event(number) for number in range(5)]
    assert (found.end, found.chain.number, found.fault) == (len(data), 6, None)


@pytest.mark.parametrize("count", [0, 3])
def test_every_changed_byte_is_noticed(count, journal, tmp_path):
    data = journal(count)
    for place, byte in enumerate(data):
        line = data[:place].count(b"\n") + 1
        for other in {byte ^ 1, byte ^ 32, 0, ord("0"), ord('"'), ord("\n"), 255} - {byte}:
            changed = data[:place] + bytes([other]) + data[place + 1 :]
            with pytest.raises(JournalError) as raised:
                parse(changed, tmp_path)
            where = str(raised.value)
            assert f", line {line} is damaged" in where or (line == 1 and place < 60), where


def test_a_changed_end_of_line_before_a_torn_line_is_noticed(journal, tmp_path):
    data = journal(3)
    last = data.rindex(b"\n", 0, -1)
    torn = data[:last] + b" " + data[last + 1 : -20]
    with pytest.raises(JournalError, match="line 3 is damaged; its end is missing"):
        parse(torn, tmp_path)


def test_cut_at_every_byte_it_is_a_shorter_journal(journal, tmp_path):
    data = journal(3)
    whole = parse(data, tmp_path).events
    for cut in range(len(data)):
        found = parse(data[:cut], tmp_path)
        complete = data[:cut].count(b"\n")
        assert found.events == whole[: max(complete - 1, 0)]
        assert (found.header is None) == (complete == 0)
        assert found.end == len(b"".join(data.splitlines(keepends=True)[:complete]))


@pytest.mark.parametrize("place", range(1, 7))
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("lost", lambda lines, at: lines[:at] + lines[at + 1 :]),
        ("repeated", lambda lines, at: [*lines[: at + 1], *lines[at:]]),
        ("swapped", lambda lines, at: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]),
        ("empty", lambda lines, at: [*lines[:at], b"\n", *lines[at:]]),
        ("foreign", lambda lines, at: [*lines[:at], b'{"event":"open"}\n', *lines[at:]]),
        ("cut", lambda lines, at: [*lines[:at], lines[at][9:], *lines[at + 1 :]]),
        ("joined", lambda lines, at: [*lines[:at], lines[at].rstrip(), *lines[at + 1 :]]),
    ],
)
def test_lines_that_were_moved_about_are_named(name, change, place, journal, tmp_path):
    lines = journal(7).splitlines(keepends=True)
    line = place + (2 if name == "repeated" else 1)
    with pytest.raises(JournalError, match=f"{tmp_path}, line {line} is damaged"):
        parse(b"".join(change(lines, place)), tmp_path)


def test_the_line_of_another_search_is_noticed(journal, tmp_path):
    ours, other = (data.splitlines(keepends=True) for data in (journal(4), journal(4)))
    assert ours == other
    with Journal(tmp_path / "other.jsonl", {"identity": {"seed": 1}}) as opened:
        for number in range(4):
            opened.append(event(number))
    other = (tmp_path / "other.jsonl").read_bytes().splitlines(keepends=True)
    with pytest.raises(JournalError, match="line 3 is damaged; its checksum differs"):
        parse(b"".join([*ours[:2], other[2], *ours[3:]]), tmp_path)


def change(data, chance):
    """The journal with bytes or a line changed, lost, repeated, moved or added."""
    lines = data.splitlines(keepends=True)
    at, line, other = (chance.randrange(len(each)) for each in (data, lines, lines))
    one, few = chance.randbytes(1), chance.randbytes(chance.randint(1, 9))
    return chance.choice(
        [
            data[:at] + one + data[at + 1 :],
            data[:at] + data[at + 1 :],
            data[:at] + few + data[at:],
            data[:at] + data[at + chance.randrange(200) :],
            b"".join([*lines[:line], *lines[line + 1 :]]),
            b"".join([*lines[: line + 1], *lines[line:]]),
            b"".join([*lines[:line], lines[other], *lines[line:]]),
            b"".join([*lines[:line], lines[other], *lines[line + 1 :]]),
            data[:at] + b"\n",
        ]
    )


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.nightly)])
def test_no_mutant_is_believed(count, seed, journal, tmp_path):
    data, chance = journal(40), random.Random(seed)
    header, events = believed(data, tmp_path)
    refused = 0
    for _ in range(count):
        changed = data
        for _ in range(chance.randint(1, 3)):
            changed = change(changed, chance) or data
        found = believed(changed, tmp_path)
        refused += found is None
        assert found is None or (found[0] == header and found[1] == events[: len(found[1])]), (
            changed
        )
    assert refused > count / 2


# --- Repair ------------------------------------------------------------------------------------


def test_what_is_sound_before_the_first_bad_line_is_kept(journal, tmp_path):
    path, data = tmp_path / "journal.jsonl", journal(5)
    lines = data.splitlines(keepends=True)
    damaged = b"".join([*lines[:3], lines[3].replace(b"0002", b"0003"), *lines[4:]])
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=r"line 4 is damaged; its checksum differs.*\.repair"):
        Journal(path, HEADER)
    done = repair(path)
    assert (done.kept, done.dropped) == (3, 3)
    assert "kept 3 lines and dropped 3, from line 4 on; its checksum differs" in str(done)
    assert str(done.damaged) in str(done)
    assert done.damaged == tmp_path / "journal.jsonl.damaged"
    assert done.damaged.read_bytes() == damaged
    assert path.read_bytes() == b"".join(lines[:3])
    with Journal(path, HEADER) as opened:
        assert opened.events == [event(0), event(1)]
        opened.append(event(2))
    assert path.read_bytes() == b"".join(lines[:4])


def test_a_second_repair_keeps_the_first_copy(journal, tmp_path):
    path, data = tmp_path / "journal.jsonl", journal(3)
    for end in (b"{}\n", b"{}\n{}\n", b"no line"):
        path.write_bytes(data + end)
        done = repair(tmp_path)
        assert (done.kept, done.dropped) == (4, max(end.count(b"\n"), 1))
        assert done.damaged.read_bytes() == data + end
        assert path.read_bytes() == data
    names = {each.name for each in tmp_path.iterdir()} - {path.name}
    assert names == {f"journal.jsonl.damaged{number}" for number in ("", 2, 3)}


@pytest.mark.parametrize("cut", [0, 20])
def test_a_sound_or_torn_journal_is_left_alone(cut, journal, tmp_path):
    path, data = tmp_path / "journal.jsonl", journal(3)
    path.write_bytes(data[: len(data) - cut])
    done = repair(path)
    assert (done.kept, done.dropped, done.damaged) == (4 - bool(cut), 0, None)
    assert "nothing was changed" in str(done)
    assert path.read_bytes() == data[: len(data) - cut]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_repaired_is_refused_untouched(journal, tmp_path):
    path, data = tmp_path / "journal.jsonl", journal(3)
    with pytest.raises(JournalError, match="cannot repair the journal .*No such file"):
        repair(path)
    for content, message in (
        (data.replace(b'"seed":0', b'"seed":1'), "line 1 is damaged.*from a copy$"),
        (b"a,b\n", "is no journal"),
    ):
        path.write_bytes(content)
        with pytest.raises(JournalError, match=message):
            repair(path)
        assert path.read_bytes() == content
    path.unlink()
    with (
        Journal(path, HEADER),
        pytest.raises(JournalError, match="is in use by another process"),
    ):
        repair(path)


def test_a_disk_without_room_for_the_copy_changes_nothing(journal, tmp_path, monkeypatch):
    path, data = tmp_path / "journal.jsonl", journal(3) + b"{}\n"
    path.write_bytes(data)

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JournalError, match="cannot repair .*No space left on device"):
        repair(path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(path.name, data)]


def test_scan_says_how_far_a_damaged_journal_is_sound(journal, tmp_path):
    data = journal(3)
    found = scan(data + b"{}\n", tmp_path)
    assert (found.end, found.chain.number) == (len(data), 4)
    assert "no line of a journal" in found.fault
