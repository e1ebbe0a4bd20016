"""Files are written whole, and held against the record beside them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kerasnas.export import ExportError, verify
from kerasnas.export.files import sha256, write_atomically


def _export(directory: Path) -> Path:
    """All kinds of files and their record."""
    contents = {
        "a.tflite": b"one",
        "a_waveform.tflite": b"two",
        "model_tuned.keras": b"three",
        "a.cc": b"four",
        "a.h": b"five",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    entries: dict[str, dict[str, Any]] = {
        name: {"file": name, "sha256": sha256(content), "waveform": None}
        for name, content in contents.items()
    }
    report = {
        "files": {
            "int8": entries["a.tflite"]
            | {"waveform": entries["a_waveform.tflite"]}
            | {"micro": entries["a.cc"] | {"header": entries["a.h"]}}
        },
        "tuning": entries["model_tuned.keras"],
    }
    (directory / "export.json").write_text(json.dumps(report))
    return directory


@pytest.mark.parametrize(
    "name", ["a.tflite", "a_waveform.tflite", "model_tuned.keras", "a.cc", "a.h"]
)
def test_a_changed_file_is_not_the_exported_one(tmp_path: Path, name: str):
    path = _export(tmp_path) / name
    assert verify(path) is True
    assert verify(str(path)) is True
    recorded = sha256(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    found = sha256(path.read_bytes())
    with pytest.raises(ExportError) as error:
        verify(path)
    for part in (str(path), recorded, found, "export again"):
        assert part in str(error.value)


def test_a_file_from_elsewhere_has_nothing_to_be_held_against(tmp_path: Path):
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(b"anything")
    assert verify(alone) is False
    beside = _export(tmp_path).joinpath("other.tflite")
    beside.write_bytes(b"anything")
    assert verify(beside) is False


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"int8": {"file": "a.tflite"}}}'])
def test_a_damaged_record_is_one_message(tmp_path: Path, text: str):
    (_export(tmp_path) / "export.json").write_text(text)
    with pytest.raises(ExportError, match=r"export\.json cannot be read .* a\.tflite .* again"):
        verify(tmp_path / "a.tflite")


def test_a_recorded_file_that_is_gone_is_named(tmp_path: Path):
    (_export(tmp_path) / "a.tflite").unlink()
    with pytest.raises(ExportError, match=r"a\.tflite cannot be read: No such file"):
        verify(tmp_path / "a.tflite")


def test_a_file_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events = []
    sync, replace = os.fsync, os.replace

    def record_sync(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").resolve()
        events.append("directory" if target.is_dir() else "content")
        sync(handle)

    def record_replace(path: Path, target: Path) -> None:
        events.append("name")
        replace(path, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    path = tmp_path / "new" / "file"
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert events == ["directory", "content", "name", "directory"]  # the first holds the new one


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match="file cannot be written: No space left on device"):
        write_atomically(path, b"after")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"file": b"before"}
