"""Hugging Face's AudioFolder: what its documentation shows, and what is refused."""

import json
from pathlib import Path

import pytest

from kerasnas.datasets import Clip, Clips, SyntheticSettings, data_settings, load, split
from kerasnas.datasets.splits import SplitSettings
from kerasnas.datasets.synthetic.mixtures import write_audiofolder
from kerasnas.errors import KerasnasError

SMALL = SyntheticSettings(clips=40, seconds=0.2, folds=4, sample_rate=8000)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}: not read by the loader " + "." * 128)


def audiofolder(root: Path, **fields: object) -> Clips:
    return load(data_settings(dataset="audiofolder", **fields), root)


def test_directories_in_split_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/dog/a.wav", "train/cat/deep/dog/b.flac", "test/cat/c.mp3", "README.md")
    clips = audiofolder(tmp_path)
    assert [(clip.id, clip.labels, clip.split) for clip in clips] == [
        ("test/cat/c.mp3", ("cat",), "test"),
        ("train/cat/deep/dog/b.flac", ("dog",), "train"),  # as datasets.load_dataset does
        ("train/dog/a.wav", ("dog",), "train"),
    ]
    assert clips.classes == ("cat", "dog")


def test_directories_without_split_folders(tmp_path: Path) -> None:
    touch(tmp_path, "dog/a.wav", "cat/b.wav")
    assert [clip.split for clip in audiofolder(tmp_path)] == [None, None]


@pytest.mark.parametrize("name", ["validation", "valid", "val", "Dev"])
def test_names_of_split_folders(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "data/train/dog/a.wav", f"data/{name}/cat/b.wav")
    assert {clip.split for clip in audiofolder(tmp_path)} == {"train", "validation"}


def test_csv_in_each_split_folder(tmp_path: Path) -> None:
    touch(tmp_path, "train/x/1.wav", "test/1.wav")
    (tmp_path / "train/metadata.csv").write_text(
        "file_name,filename,label,speaker,fold\nx/1.wav,old.wav,dog,ann,2\n"
    )
    (tmp_path / "test/metadata.csv").write_text("file_name,label,speaker,fold\n1.wav,cat,,1\n")
    clips = audiofolder(tmp_path, group_column="speaker", fold_column="fold")
    test, train = tmp_path / "test/1.wav", tmp_path / "train/x/1.wav"
    assert clips[0] == Clip("test/1.wav", test, ("cat",), "1", "test")
    assert clips[1] == Clip("train/x/1.wav", train, ("dog",), "2", "train", "ann")


def test_one_list_of_json_lines_beside_the_split_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.wav", "test/2.wav", "test/3.wav")
    records = [
        {"file_name": "train/1.wav", "tags": ["speech", "music"]},
        {"file_name": "test/2.wav", "tags": []},
    ]
    lines = "\n\n".join(json.dumps(record) for record in records)
    (tmp_path / "metadata.jsonl").write_text(lines)
    clips = audiofolder(tmp_path, label_column="tags", multi_label=True)
    assert clips.targets().tolist() == [[1, 1], [0, 0]]
    assert [clip.split for clip in clips] == ["train", "test"]
    assert clips.notes == ("1 recording left out, since no metadata lists it: test/3.wav",)


def test_whole_numbers_are_names_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    lines = ['{"file_name": "a.wav", "label": 0}', '{"file_name": "b.wav", "label": 1}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert audiofolder(tmp_path).classes == ("0", "1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"file_name": "a.wav", "label": "x"}', r"jsonl:2: a.wav is listed twice, first in .*:1"),
        ('{"file_name": "./a.wav", "label": "x"}', r"jsonl:2: ./a.wav is listed twice"),
        ('{"file_name": "gone.wav", "label": "x"}', r"jsonl:2: .*gone.wav does not exist"),
        ('{"file_name": "../a.wav", "label": "x"}', r"jsonl:2: ../a.wav lies outside"),
        ('{"file_name": "b.m4a", "label": "x"}', r"b.m4a: .m4a cannot be read; convert it"),
        ('{"file_name": "b.wav", "label": 0.5}', r"jsonl:2: label is 0.5; labels are text"),
        ('{"file_name": "b.wav", "label": ["x", "y"]}', r"jsonl:2: 2 labels .* multi_label: true"),
        ('{"file_name": "b.wav", "label": null}', r"jsonl:2: 0 labels"),
        ('{"file_name": "b.wav", "labels": "x"}', r"jsonl:2: no label; it has file_name, labels"),
        ('{"file_name": 3.5, "label": "x"}', r"jsonl:2: file_name is 3.5; name a file"),
        ('["b.wav", "x"]', r"jsonl:2: expected an object"),
        ('{"file_name": "b.wav", ', r"jsonl:2: not valid JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    touch(tmp_path, "data/a.wav", "data/b.wav", "data/b.m4a", "a.wav")
    first = '{"file_name": "a.wav", "label": "x"}'
    (tmp_path / "data/metadata.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(KerasnasError, match=message):
        audiofolder(tmp_path)


def test_groups_are_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav", "label": "x", "who": 1.5}')
    with pytest.raises(KerasnasError, match=r"who is 1.5; names are text or whole numbers"):
        audiofolder(tmp_path, group_column="who")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/dog/a.wav", "cow/b.wav"], r"cow/b.wav: lies in none of the split folders"),
        (["train/a.wav"], r"train/a.wav: lies in no directory named after a label"),
        (["a.wav"], r"a.wav: lies in no directory named after a label"),
        (["dog/a.aac"], r"a.aac: .aac cannot be read"),
        (["notes.txt"], r"no audio found"),
        (["metadata.parquet"], r"Parquet is not read"),
        (["metadata.csv", "metadata.jsonl"], r"lies beside a metadata.csv; remove one"),
    ],
)
def test_folders_that_cannot_be_read(tmp_path: Path, names: list[str], message: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(KerasnasError, match=message):
        audiofolder(tmp_path)


def test_directories_hold_one_label(tmp_path: Path) -> None:
    touch(tmp_path, "dog/a.wav")
    with pytest.raises(KerasnasError, match="a directory gives one label per clip"):
        audiofolder(tmp_path, multi_label=True)


def test_copies_are_marked(tmp_path: Path) -> None:
    touch(tmp_path, "dog/a.wav", "cat/c.wav")
    (tmp_path / "dog/b.wav").symlink_to(tmp_path / "dog/a.wav")  # as in the cache of the hub
    assert audiofolder(tmp_path)[2].copy_of == "dog/a.wav"


@pytest.mark.parametrize("several", [False, True])
def test_what_is_written_is_read(tmp_path: Path, several: bool) -> None:
    write_audiofolder(tmp_path, SMALL, multi_label=several)
    clips = audiofolder(tmp_path, multi_label=several, fold_column="fold")
    assert (len(clips), clips.folds) == (40, ("1", "2", "3", "4"))
    parts = split(clips, SplitSettings(by="split"), seed=0)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 10, 10]
