"""A damaged journal keeps what is sound before its first bad line, and nothing is thrown away."""

import pytest

from kerasnas.tuners import Gene, JournalError, Results, Search, repair
from kerasnas.tuners.core.storage.journal import Journal

from .conftest import HEADER, event


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
    names = {each.name for each in tmp_path.glob("journal*")} - {path.name}
    assert names == {f"journal.jsonl.damaged{number}" for number in ("", 2, 3)}


@pytest.mark.parametrize("cut", [0, 20])
def test_a_sound_or_torn_journal_is_left_alone(cut, journal, tmp_path):
    path, data = tmp_path / "journal.jsonl", journal(3)
    path.write_bytes(data[: len(data) - cut])
    done = repair(path)
    assert (done.kept, done.dropped, done.damaged) == (4 - bool(cut), 0, None)
    assert "nothing was changed" in str(done)
    assert path.read_bytes() == data[: len(data) - cut]
    assert [each.name for each in tmp_path.glob("journal*")] == [path.name]


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
    assert [(each.name, each.read_bytes()) for each in tmp_path.glob("journal*")] == [
        (path.name, data)
    ]


def test_an_event_that_fits_nothing_is_cut_off_too(tmp_path):
    """However it came there: its checksum is right."""
    genes = [Gene("width", values=(1, 2, 3))]

    def search():
        return Search(genes, [("accuracy", "max")], max_trials=3, directory=tmp_path)

    with search() as opened:
        opened.tell(opened.ask().id, {"accuracy": 0.5})
        before = opened.trials
    with Journal(tmp_path / "journal.jsonl", {}) as journal:
        sound = journal.lines
        journal.append({"event": "requeue", "id": "0007", "elapsed": 1.0})
        journal.append({"event": "open", "elapsed": 1.0})
    with pytest.raises(JournalError, match=f"line {sound + 1} is damaged; trial 0007 is not"):
        search()
    assert repair(tmp_path)[:3] == (sound, 2, "trial 0007 is not running")
    assert Results.read(tmp_path).trials == before
    with search() as opened:
        assert opened.ask().id == "0001"


def test_a_search_goes_on_from_what_was_kept_as_from_a_kill(tmp_path):
    genes = [Gene("width", values=range(50))]

    def run(directory):
        with Search(genes, [("accuracy", "max")], max_trials=8, directory=directory) as search:
            while trial := search.ask():
                search.tell(trial.id, {"accuracy": trial.values["width"]})
            return [(trial.id, trial.values, trial.metrics) for trial in search.trials]

    expected = run(tmp_path)
    path = tmp_path / "journal.jsonl"
    data = path.read_bytes()
    at = data.index(b'"id":"0004"')
    path.write_bytes(data[:at] + b'"id":"0005"' + data[at + 11 :])
    with pytest.raises(JournalError, match="is damaged"):
        run(tmp_path)
    assert repair(tmp_path).dropped > 1
    assert run(tmp_path) == expected
