"""A journal cannot lie: whatever is changed, lost, repeated, moved or added is noticed."""

import random

import pytest

from kerasnas.tuners import JournalError
from kerasnas.tuners.core.storage.chain import parse, scan
from kerasnas.tuners.core.storage.journal import Journal

from ..conftest import event


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


@pytest.mark.parametrize(
    ("count", "every"), [(0, False), (3, False), pytest.param(3, True, marks=pytest.mark.nightly)]
)
def test_every_changed_byte_is_noticed(count, every, journal, tmp_path):
    data = journal(count)
    for place, byte in enumerate(data):
        line = data[:place].count(b"\n") + 1
        telling = {byte ^ 1, byte ^ 32, 0, ord("0"), ord('"'), ord("\n"), 255}
        for other in (set(range(256)) if every else telling) - {byte}:
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


def test_scan_says_how_far_a_damaged_journal_is_sound(journal, tmp_path):
    data = journal(3)
    found = scan(data + b"{}\n", tmp_path)
    assert (found.end, found.chain.number) == (len(data), 4)
    assert "no line of a journal" in found.fault
