import os
from pathlib import Path

import pytest

from kerasnas.datasets import Clip, data_settings, load
from kerasnas.errors import KerasnasError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not read by the loader")


def from_csv(root: Path, text: str, multi_label: bool = False):
    (root / "clips.csv").write_text(text)
    return load(data_settings(dataset="folder", csv="clips.csv", multi_label=multi_label), root)


def test_label_is_the_first_directory(tmp_path):
    touch(tmp_path, "dog/a.wav", "cat/deep/b.FLAC", "dog/c.mp3", "cat/.hidden.wav", "cat/notes.txt")
    clips = load(data_settings(dataset="folder"), tmp_path)
    assert clips.ids == ("cat/deep/b.FLAC", "dog/a.wav", "dog/c.mp3")
    assert clips.classes == ("cat", "dog")
    assert clips.targets().tolist() == [[1, 0], [0, 1], [0, 1]]
    assert clips[0].path == tmp_path / "cat/deep/b.FLAC"
    assert clips.counts == {"cat": 1, "dog": 2}


def test_label_directories_may_be_links(tmp_path):
    touch(tmp_path / "elsewhere", "dogs/a.wav")
    touch(tmp_path / "root", "cat/b.wav")
    (tmp_path / "root" / "dog").symlink_to(tmp_path / "elsewhere" / "dogs")
    clips = load(data_settings(dataset="folder"), tmp_path / "root")
    assert clips.ids == ("cat/b.wav", "dog/a.wav")


def test_csv_columns(tmp_path):
    touch(tmp_path, "x/a.wav", "b.wav", "c.wav")
    clips = from_csv(
        tmp_path,
        "filename,labels,fold,split,group,remark\n"
        "x/a.wav,dog,1,train,house 1,fine\n"
        "\n"
        "b.wav,cat,2,test,,\n"
        "c.wav,dog,10,validation,house 1,\n",
    )
    assert clips[0] == Clip("x/a.wav", tmp_path / "x/a.wav", ("dog",), "1", "train", "house 1")
    assert clips[1].group is None
    assert clips.folds == ("1", "2", "10")


def test_multi_label_csv_may_have_untagged_clips(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    clips = from_csv(tmp_path, "filename,labels\na.wav,speech; music\nb.wav,\n", multi_label=True)
    assert clips.classes == ("music", "speech")
    assert clips.targets().tolist() == [[1, 1], [0, 0]]


def test_converted_files_are_found_under_their_old_names(tmp_path):
    touch(tmp_path, "a.ogg", "b.wav")
    clips = from_csv(tmp_path, "filename,labels\na.wav,dog\nb.wav,cat\n")
    assert clips[0].path == tmp_path / "a.ogg"
    assert clips[0].id == "a.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,label\na.wav,dog\n", r"clips.csv:1: no column labels"),
        ("", r"clips.csv:1: no column filename; the header is empty"),
        ("filename,labels\n", r"lists no clips"),
        ("filename,labels,folds\na.wav,dog,1\n", r"clips.csv:1: column folds .* fold is meant"),
        ("filename,labels\na.wav,dog\nb.wav\n", r"clips.csv:3: 1 fields where the header has 2"),
        ("filename,labels\na.wav,dog\nmissing.wav,cat\n", r"clips.csv:3: .*missing.wav does not"),
        ("filename,labels\na.wav,dog\na.wav,cat\n", r"clips.csv:3: a.wav is listed twice"),
        ("filename,labels\na.wav,dog;cat\n", r"clips.csv:2: 2 labels .*multi_label"),
        ("filename,labels\na.wav,\n", r"clips.csv:2: 0 labels"),
        ("filename,labels,split\na.wav,dog,dev\n", r"clips.csv:2: split is dev; allowed are train"),
        ("filename,labels\na.wav,dog\nb.wav,dog\n", r"every clip is labelled dog"),
        ('filename,labels\na.wav,"dog\n', r"clips.csv:2: not valid CSV"),
        (
            'filename,labels\na.wav,"dog;\nb.wav,cat"\n',
            r"clips.csv:3: labels holds a line break \('dog;\\nb.wav,cat'\); write it on one line",
        ),
        ('filename,labels,group\na.wav,dog,"x\r\ny"\n', r"clips.csv:3: group holds a line break"),
    ],
)
def test_bad_csv_is_named_with_its_line(tmp_path, text, message):
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(KerasnasError, match=message):
        from_csv(tmp_path, text)


def test_all_problems_of_a_list_are_told_at_once(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(KerasnasError) as caught:
        from_csv(
            tmp_path,
            "filename,labels,split\na.wav,dog,dev\nb.wav\nc.wav,cat,train\nb.wav,a;b,test\n",
        )
    lines = [line.removeprefix(f"{tmp_path}/clips.csv:") for line in str(caught.value).splitlines()]
    assert [line.split(":")[0] for line in lines] == ["2", "3", "4", "5"]


def test_many_problems_are_counted(tmp_path):
    with pytest.raises(KerasnasError) as caught:
        from_csv(tmp_path, "filename,labels\n" + "".join(f"{i}.wav,a\n" for i in range(25)))
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 15 more of 25 problems"


@pytest.mark.parametrize("alias", ["x/../a.wav", "link.wav", "{root}/a.wav", "a.flac"])
def test_a_file_is_recognised_by_any_path(tmp_path, alias):
    touch(tmp_path, "a.wav", "x/b.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    text = f"filename,labels,split\na.wav,dog,train\n{alias},dog,test\nx/b.wav,cat,train\n"
    with pytest.raises(
        KerasnasError, match=r"csv:3: .* is listed twice, first in .*csv:2 as a.wav"
    ):
        from_csv(tmp_path, text.format(root=tmp_path))


def test_one_file_under_two_labels(tmp_path):
    touch(tmp_path, "cat/a.wav", "dog/b.wav")
    with pytest.raises(KerasnasError, match=r"csv:3: cat/a.wav is .* first in .*:2, labelled cat$"):
        from_csv(tmp_path, "filename,labels\ncat/a.wav,cat\ncat/a.wav,dog\n")
    (tmp_path / "dog" / "c.wav").symlink_to(tmp_path / "cat" / "a.wav")
    with pytest.raises(KerasnasError, match=r"dog/c.wav: is the same file as cat/a.wav, labelled"):
        load(data_settings(dataset="folder"), tmp_path)


def test_names_with_markup_quotes_and_line_breaks(tmp_path):
    touch(tmp_path, '[red]/it\'s "x".wav', "b/line\nbreak.wav")
    clips = load(data_settings(dataset="folder"), tmp_path)
    assert clips.classes == ("[red]", "b")
    text = 'filename,labels\n"[red]/it\'s ""x"".wav","say ""hi"""\n"b/line\nbreak.wav",[/b]\n'
    listed = from_csv(tmp_path, text)
    assert listed.ids == clips.ids
    assert listed.classes == ("[/b]", 'say "hi"')


def test_a_label_must_stand_on_one_line(tmp_path):
    touch(tmp_path, "a\nb/1.wav", "c/2.wav")
    with pytest.raises(KerasnasError, match=r"the label 'a\\nb' holds a line break .* rename it"):
        load(data_settings(dataset="folder"), tmp_path)


def test_names_that_are_not_utf8(tmp_path):
    touch(tmp_path, "a/1.wav", "b/2.wav")
    name = os.fsdecode(b"caf\xe9")
    touch(tmp_path, f"a/{name}.wav")
    with pytest.raises(KerasnasError, match=r"a/caf\\xe9.wav: the name is not UTF-8 .* rename"):
        load(data_settings(dataset="folder"), tmp_path)
    touch(tmp_path / name, "a/1.wav", "b/2.wav")
    with pytest.raises(KerasnasError, match=r"caf\\xe9: the path is not UTF-8 text; rename"):
        load(data_settings(dataset="folder"), tmp_path / name)


def test_csv_that_is_not_text_or_not_there(tmp_path):
    with pytest.raises(KerasnasError, match=r"clips.csv: no such file"):
        load(data_settings(dataset="folder", csv="clips.csv"), tmp_path)
    (tmp_path / "clips.csv").write_text("path,label\n", encoding="utf-16")
    with pytest.raises(KerasnasError, match="is not UTF-8 text .* save it as UTF-8"):
        load(data_settings(dataset="folder", csv="clips.csv"), tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no audio found"),
        (["dog/readme.txt"], "no audio found"),
        (["dog/a.wav", "dog/b.wav"], "every clip is labelled dog"),
        (["dog/a.wav", "b.wav"], r"b\.wav: lies beside the label directories"),
        (["dog/a.m4a", "cat/b.wav"], r"a\.m4a: \.m4a cannot be read; convert"),
        (["dog\ncat/a.wav", "cat/b.wav"], r"the label 'dog\\ncat' holds a line break"),
        (
            ["dog\x85/a.wav", "d\u2028g/b.wav"],
            r"the label 'd(og\\x85|\\u2028g)' holds a line break",
        ),
    ],
)
def test_bad_directories(tmp_path, files, message):
    touch(tmp_path, *files)
    with pytest.raises(KerasnasError, match=message):
        load(data_settings(dataset="folder"), tmp_path)
