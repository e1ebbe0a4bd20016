import shutil

import pytest
import soundfile
from pydantic import ValidationError

from kerasnas.datasets import (
    DataSettings,
    SplitSettings,
    SyntheticSettings,
    data_settings,
    load,
    split,
)
from kerasnas.datasets.chime_home import ChimeHomeSettings, segment
from kerasnas.datasets.chime_home import load as read
from kerasnas.datasets.synthetic.mixtures import write_chime_home
from kerasnas.errors import KerasnasError

SEGMENT = "CR_lounge_220110_0731.s0"
NAME, OTHER = f"{SEGMENT}_chunk27", f"{SEGMENT}_chunk28"
ANNOTATION = f"""segmentname,{SEGMENT}
chunknumber,27
framestart,5184000
annotation_a1,cm
session_a1,1
annotation_a2,c
session_a2,1
annotation_a3,mv
session_a3,2
majorityvote,mc
chunkname,{NAME}
"""
FOLDS = "development_chunks_refined_crossval_dcase2016.csv"
REFINED = ChimeHomeSettings()
ALL = ChimeHomeSettings(evaluation=True)


def settings(**options) -> DataSettings:
    return data_settings(dataset="chime_home", **options)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("chime_home")
    write_chime_home(root, SyntheticSettings(clips=96, seconds=0.2, folds=5))
    return root


@pytest.fixture
def official(tmp_path):
    """Two development chunks of one segment and one evaluation chunk, written by hand."""
    (tmp_path / "chunks").mkdir()
    for name in (NAME, OTHER, "CR_lounge_220110_0800.s0_chunk1"):
        (tmp_path / "chunks" / f"{name}.16kHz.wav").touch()
        (tmp_path / "chunks" / f"{name}.csv").write_text(ANNOTATION)
    for kind in ("refined", "raw"):
        (tmp_path / f"development_chunks_{kind}.csv").write_text(f"1,{NAME}\n4,{OTHER}\n")
    (tmp_path / "evaluation_chunks_refined.csv").write_text("0,CR_lounge_220110_0800.s0_chunk1\n")
    (tmp_path / FOLDS).write_text(f"1,{NAME},3\n4,{OTHER},3\n")
    return tmp_path


def test_official_layout(official):
    clips = read(official, REFINED)
    assert clips.ids == (NAME, OTHER)
    assert clips.classes == ("c", "m", "f", "v", "p", "b", "o")
    assert clips.multi_label
    assert clips[0].labels == ("c", "m")
    assert (clips[0].fold, clips[0].split, clips[0].group) == ("3", None, SEGMENT)
    assert clips[0].path == official / "chunks" / f"{NAME}.16kHz.wav"


def test_the_directory_that_the_archive_unpacks_to(official, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    (outer / "chime_home").symlink_to(official)
    assert read(outer, REFINED).ids == (NAME, OTHER)


def test_every_refined_chunk_has_its_own_fold(official):
    (official / FOLDS).write_text(f"1,{NAME},3\n4,{OTHER},0\n")
    assert [clip.fold for clip in read(official, REFINED)] == ["3", "0"]


@pytest.mark.parametrize("vote", ["S", "U", ""])
def test_chunks_without_a_scored_tag_stay(official, vote):
    text = ANNOTATION.replace("majorityvote,mc", f"majorityvote,{vote}")
    (official / "chunks" / f"{OTHER}.csv").write_text(text)
    clips = read(official, REFINED)
    assert clips[1].labels == ()
    assert clips.targets().tolist() == [[1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]]


def test_files_of_48_khz(official):
    with pytest.raises(KerasnasError, match=rf"refined.csv:1: .*{NAME}.48kHz.wav does not exist"):
        read(official, ChimeHomeSettings(sample_rate=48000))
    for name in (NAME, OTHER):
        (official / "chunks" / f"{name}.48kHz.flac").touch()  # converted since
    clips = read(official, ChimeHomeSettings(sample_rate=48000))
    assert clips[1].path.name == f"{OTHER}.48kHz.flac"


def test_written_layout(written):
    clips = load(settings(evaluation=True), written)
    assert len(clips) == 72  # of four chunks of a segment three are refined
    assert clips.folds == ("0", "1", "2", "3", "4")
    assert all((clip.fold is None) == (clip.split == "test") for clip in clips)
    assert all(clip.group == segment(clip.id) for clip in clips)
    assert any(not clip.labels for clip in clips)
    assert len(load(settings(), written)) == 60
    raw = load(settings(chunks="raw"), written)
    assert len(raw) == 80
    assert raw.folds == clips.folds  # by segment
    assert raw.cut == clips.cut == ("CR_synthetic_000000.s0",)
    assert [clip.fold for clip in raw][:4] == ["0", "0", "1", "0"]
    info = soundfile.info(raw[0].path)
    assert (info.channels, info.samplerate, info.frames) == (1, 16000, 3200)


def test_splits_keep_segments_and_the_evaluation_set(written):
    clips = load(settings(evaluation=True), written)
    official = split(clips, SplitSettings(by="split"), 0)
    assert {clips[i].split for i in official.test} == {"test"}
    assert {clips[i].split for i in (*official.train, *official.validation)} == {"train"}
    groups = [{clips[i].group for i in part} for part in (official.train, official.validation)]
    assert not groups[0] & groups[1]
    for fold in clips.folds:  # no training on the evaluation set, whatever is tested on
        parts = split(clips, SplitSettings(by="fold", test_fold=fold), 0)
        assert {clips[i].fold for i in parts.test} == {fold}
        used = [clips[i] for part in (parts.train, parts.validation) for i in part]
        assert len(used) + len(parts.test) == 60
        assert fold not in {clip.fold for clip in used}
        assert "test" not in {clip.split for clip in used}


@pytest.mark.parametrize("fold", ["0", "1"])
def test_the_published_folds_are_taken_as_they_are(written, fold):
    clips = load(settings(), written)
    (cut,) = clips.cut
    parts = split(clips, SplitSettings(by="fold", test_fold=fold), 0)
    tested = {clips[i].id for i in parts.test}
    assert tested == {clip.id for clip in clips if clip.fold == fold}
    assert {clips[i].group for i in parts.test} & {clips[i].group for i in parts.train} <= {cut}
    inside = {clips[i].group for i in parts.train} & {clips[i].group for i in parts.validation}
    assert not inside, "validation clips are chosen here, and no group is parted"
    (note,) = clips.notes
    assert note.endswith(f"tested on: {cut} (folds 0, 1)")


def test_folds_made_here_cut_no_segment(written):
    clips = load(settings(), written)
    parts = split(clips, SplitSettings(), 0)
    groups = [{clips[i].group for i in part} for part in (parts.train, parts.validation)]
    assert not groups[0] & groups[1]
    assert not {clips[i].group for i in parts.test} & (groups[0] | groups[1])


def test_raw_chunks_of_segments_without_refined_ones_are_always_trained_on(written, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(written, root)
    gone = "CR_synthetic_000001.s0"
    for name in ("development_chunks_refined.csv", FOLDS):
        lines = (root / name).read_text().splitlines(keepends=True)
        (root / name).write_text("".join(line for line in lines if gone not in line))
    clips = load(settings(chunks="raw"), root)
    without = {i for i, clip in enumerate(clips) if clip.fold is None}
    assert {clips[i].group for i in without} == {gone} and len(without) == 4
    assert clips.notes[1].startswith("4 chunks are of segments without refined chunks")
    for fold in clips.folds:
        parts = split(clips, SplitSettings(by="fold", test_fold=fold), 0)
        assert without <= {*parts.train, *parts.validation}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "development_chunks_refined.csv",
            f"1,{NAME}\n2,gone_chunk3\n",
            r"refined.csv:2: .*gone_chunk3.16kHz.wav does not exist",
        ),
        (
            "development_chunks_refined.csv",
            f"1,{NAME}\n2,{NAME}\n",
            rf"refined.csv:2: {NAME} is listed twice",
        ),
        (
            "development_chunks_refined.csv",
            f"1,{NAME}\n\n{OTHER}\n",
            rf"refined.csv:3: '{OTHER}' where index,name is expected",
        ),
        ("development_chunks_refined.csv", "", r"refined.csv: lists no chunks"),
        (FOLDS, f"1,{NAME},3\n", rf"refined.csv:2: {OTHER} has no fold"),
        (
            FOLDS,
            f"1,{NAME},3\n4,{OTHER},3\n5,more_chunk1,3\n",
            r"dcase2016.csv:3: more_chunk1 is not in development_chunks_refined.csv",
        ),
        (FOLDS, f"1,{NAME}\n", r"dcase2016.csv:1: .* where index,name,fold is expected"),
        (
            f"chunks/{OTHER}.csv",
            "segmentname,x\nchunknumber,28\n",
            rf"{OTHER}.csv:2: the annotation ends without majorityvote",
        ),
        (
            f"chunks/{OTHER}.csv",
            "segmentname,x\nmajorityvote,cx\n",
            rf"{OTHER}.csv:2: unknown letter 'x' in majorityvote 'cx'; the letters are c m f v",
        ),
        ("evaluation_chunks_refined.csv", f"7,{NAME}\n", rf"csv:1: {NAME} is a development chunk"),
    ],
)
def test_mistakes_are_named_with_file_and_line(official, file, text, message):
    (official / file).write_text(text)
    with pytest.raises(KerasnasError, match=message):
        read(official, ALL)


def test_missing_files_are_named(official):
    (official / "chunks" / f"{OTHER}.csv").unlink()
    with pytest.raises(KerasnasError, match=rf"refined.csv:2: .*{OTHER}.csv does not exist"):
        read(official, REFINED)
    (official / FOLDS).unlink()
    with pytest.raises(KerasnasError, match=r"dcase2016.csv: no such file"):
        read(official, REFINED)


def test_chunks_carry_any_number_of_labels():
    assert settings().multi_label
    with pytest.raises(ValidationError, match="multi_label\n  Input should be True"):
        data_settings(dataset="chime_home", multi_label=False)
    with pytest.raises(ValidationError, match="folder.chunks\n  Extra inputs"):
        data_settings(dataset="folder", chunks="raw")
