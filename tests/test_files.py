"""Files that are never half-written, and on the disk before they have their name."""

import errno
import os
import stat
from pathlib import Path

import pytest

from kerasnas import files
from kerasnas.errors import KerasnasError
from kerasnas.files import publish, read_json, write_atomically, write_json


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is forced to the disk and renamed, in order."""
    seen: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        seen.append(f"sync {'temporary' if name.startswith('.') else name}")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> None:
        seen.append(f"rename to {target.name}")
        replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return seen


def test_a_file_is_on_the_disk_before_its_name_and_its_directory_after(
    tmp_path: Path, events: list[str]
) -> None:
    write_atomically(tmp_path / "new" / "deep" / "file.txt", "text")
    assert (tmp_path / "new" / "deep" / "file.txt").read_text() == "text"
    made = {f"sync {tmp_path.name}", "sync new"}
    assert set(events[:2]) == made
    assert events[2:] == ["sync temporary", "rename to file.txt", "sync deep"]


def test_what_is_made_anew_waits_for_no_disk(tmp_path: Path, events: list[str]) -> None:
    write_json(tmp_path / "new" / "search.json", {"a": 1}, durable=False)
    assert read_json(tmp_path / "new" / "search.json") == {"a": 1}
    assert events == ["rename to search.json"]


def test_what_others_wrote_is_published_likewise(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / ".half").write_text("model")
    publish(tmp_path / ".half", tmp_path / "model.keras")
    assert events == ["sync temporary", "rename to model.keras", f"sync {tmp_path.name}"]
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(KerasnasError, match=r"file\.txt cannot be written: No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_that_cannot_sync_directories_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", only_files)
    write_atomically(tmp_path / "file.txt", "text")
    assert (tmp_path / "file.txt").read_text() == "text"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: delete it"),
        (b" \n", "is empty: delete it"),
        (b"{", "cannot be read, since it is not JSON"),
        (b"[NaN]", "NaN is no number of JSON"),
        (b"\xff", "cannot be read, since it is not JSON"),
        (b"[" * 100_000, "cannot be read, since it is not JSON"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(KerasnasError, match=rf"file\.json {message}|{message}"):
        read_json(tmp_path / "file.json")
