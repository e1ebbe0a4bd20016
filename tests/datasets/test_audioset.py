"""AudioSet's layout: what is written is read back, by TensorFlow too, and damage is named."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from kerasnas.datasets import DataSettings, SplitSettings, data_settings, load, split
from kerasnas.datasets.audioset import shards, tfrecord
from kerasnas.datasets.audioset.audioset import CLASS_LABELS, class_labels, write_class_labels
from kerasnas.datasets.audioset.sequence_example import Embedded, parse, serialize
from kerasnas.datasets.synthetic.embeddings import embedded, write
from kerasnas.errors import KerasnasError
from kerasnas.features import StoredEmbedding, describe, extract, golden
from kerasnas.features.description import decode

CLASSES = ("Speech", "Dog, barking", "Rain")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "data", CLASSES, {"bal_train": 40, "eval": 12}, clips_a_shard=16)
    return tmp_path / "data"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def settings(**audioset) -> DataSettings:
    return data_settings(dataset="audioset", **audioset)


def damage(path: Path, at: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 255
    path.write_bytes(data)


def test_messages_are_tensorflows() -> None:
    import tensorflow as tf

    clip = next(embedded(3, range(5, 6)))
    context, lists = tf.io.parse_single_sequence_example(
        serialize(clip),
        {
            "video_id": tf.io.FixedLenFeature([], tf.string),
            "start_time_seconds": tf.io.FixedLenFeature([], tf.float32),
            "end_time_seconds": tf.io.FixedLenFeature([], tf.float32),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        {"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    assert context["video_id"].numpy().decode() == clip.video
    assert context["end_time_seconds"].numpy() - context["start_time_seconds"].numpy() == 10
    assert tuple(context["labels"].values.numpy()) == clip.labels
    codes = tf.io.decode_raw(lists["audio_embedding"], tf.uint8).numpy()
    np.testing.assert_array_equal(codes, clip.embedding)
    feature, bytes_list = tf.train.Feature, tf.train.BytesList
    theirs = tf.train.SequenceExample(
        context=tf.train.Features(
            feature={
                "video_id": feature(bytes_list=bytes_list(value=[b"abc"])),
                "start_time_seconds": feature(float_list=tf.train.FloatList(value=[7.5])),
                "labels": feature(int64_list=tf.train.Int64List(value=[2, 526])),
                "something_else": feature(int64_list=tf.train.Int64List(value=[1])),
            }
        ),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                "audio_embedding": tf.train.FeatureList(
                    feature=[
                        feature(bytes_list=bytes_list(value=[row.tobytes()]))
                        for row in clip.embedding
                    ]
                )
            }
        ),
    )
    ours = parse(theirs.SerializeToString())
    assert (ours.video, ours.start, ours.labels) == ("abc", 7.5, (2, 526))
    np.testing.assert_array_equal(ours.embedding, clip.embedding)


def test_what_is_written_is_read_back(root: Path, cache: Path) -> None:
    clips = load(settings(validation_fraction=0.3), root, cache)
    written = [*embedded(3, range(52))]
    assert clips.ids == tuple(f"{clip.video}_30000" for clip in written)
    assert clips.classes == CLASSES and clips.multi_label
    names = [tuple(CLASSES[label] for label in clip.labels) for clip in written]
    assert [clip.labels for clip in clips] == names
    assert clips.targets().sum() == sum(len(clip.labels) for clip in written)
    assert clips.counts == {name: sum(name in each for each in names) for name in CLASSES}
    assert {clip.split for clip in clips.subset(range(40, 52))} == {"test"}
    parts = split(clips, SplitSettings(by="split"), seed=0)
    assert parts.test.tolist() == list(range(40, 52))
    assert 3 < len(parts.validation) < 25
    assert len(parts.validation) + len(parts.train) == 40
    again = load(settings(validation_fraction=0.3), root, cache)
    assert again.digest() == clips.digest() != load(settings(), root, cache).digest()


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("unit", lambda x: x / 255),
        ("youtube8m", lambda x: x * 4 / 255 + 4 / 512 - 2),
        ("symmetric", lambda x: (x - 128) / 128),
    ],
)
def test_features_are_the_bytes_as_numbers_and_then_zeros(
    root: Path, cache: Path, how: str, number
) -> None:
    front = StoredEmbedding(dequantize=how)
    found = extract(load(settings(), root, cache), front, cache, progress=False)
    assert found.shape == (52, 1, 10, 128) and found.dtype == np.float32
    for row, clip in enumerate(embedded(3, range(52))):
        frames = len(clip.embedding)
        expected = number(clip.embedding.astype(np.float64))
        np.testing.assert_allclose(found[row, 0, :frames], expected, atol=1e-6)
        assert not found[row, 0, frames:].any()
    example = golden(front)
    codes = decode(example["codes"]).astype(np.float64)
    assert describe(front)["dequantize"] == how and len(np.unique(codes)) == 256
    np.testing.assert_allclose(decode(example["features"])[0], number(codes), atol=1e-6)


def test_packed_files_give_the_same_features(root: Path, cache: Path, tmp_path: Path) -> None:
    write_class_labels(tmp_path / "packed" / CLASS_LABELS, [(n, n) for n in CLASSES])
    for part, numbers in (("bal_train", range(40)), ("eval", range(40, 52))):
        clips = [*embedded(3, numbers)]
        x = np.stack([np.pad(c.embedding, ((0, 10 - len(c.embedding)), (0, 0))) for c in clips])
        with h5py.File(tmp_path / "packed" / f"{part}.h5", "w") as file:
            file["x"] = x
            file["y"] = np.array([[label in c.labels for label in range(3)] for c in clips])
            file["video_id_list"] = [clip.video.encode() for clip in clips]
    ours = load(settings(), tmp_path / "packed", cache)
    theirs = load(settings(), root, cache)
    np.testing.assert_array_equal(ours.targets(), theirs.targets())
    np.testing.assert_array_equal(ours.splits, theirs.splits)
    front = StoredEmbedding(dequantize="youtube8m")
    same = [extract(clips, front, cache, progress=False) for clips in (ours, theirs)]
    np.testing.assert_array_equal(*same)
    with h5py.File(tmp_path / "packed" / "eval.h5", "a") as file:
        del file["y"]
    with pytest.raises(KerasnasError, match=r"eval.h5 has no data set x, y or video_id_list"):
        load(settings(), tmp_path / "packed", cache)


def test_damaged_records_are_named_or_left_out_and_counted(root: Path, cache: Path) -> None:
    damage(root / "bal_train" / "00001.tfrecord")
    cut = root / "eval" / "00000.tfrecord"
    cut.write_bytes(cut.read_bytes()[:-20])
    (root / "bal_train" / "00009.tfrecord").touch()
    remedy = r"data\.audioset\.skip_corrupt: true \(kerasnas search --skip-corrupt\)"
    with pytest.raises(KerasnasError, match=rf"00001.tfrecord: record 0 .*checksum.*{remedy}"):
        load(settings(), root, cache)
    clips = load(settings(skip_corrupt=True), root, cache)
    assert len(clips) == 50 and len(clips.skipped) == 3
    assert "00009.tfrecord: record 0 cannot be read: the file is empty" in clips.skipped[1]
    assert "00000.tfrecord: record 11 cannot be read: cut short" in clips.skipped[2]
    assert "synthetic00000016_30000" not in clips.ids
    found = extract(clips, StoredEmbedding(), cache, progress=False)
    last = [*embedded(3, range(51))][-1].embedding
    np.testing.assert_allclose(found[49, 0, : len(last)], last / 255, atol=1e-6)


def test_messages_that_lack_something_are_damaged(root: Path, cache: Path) -> None:
    clip = next(embedded(3, range(1)))
    empty = Embedded("a", None, (), clip.embedding[:0])
    path = root / "eval" / "00000.tfrecord"
    for data, message in ((serialize(empty), "no audio_embedding"), (b"\xff\xff", "no Sequence")):
        tfrecord.write(path, [serialize(clip), data])
        with pytest.raises(KerasnasError, match=f"record 1 cannot be read: it (has|is) {message}"):
            load(settings(), root, cache)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (Embedded("a", 0.0, (3,), np.zeros((1, 128), np.uint8)), "label 3 is not in .* ends at 2"),
        (Embedded("b" * 65, 0.0, (), np.zeros((1, 128), np.uint8)), "video_id has 65 bytes"),
        (Embedded("synthetic00000003", 30.0, (), np.zeros((1, 128), np.uint8)), "occurs twice"),
    ],
)
def test_clips_that_cannot_be_are_refused(root: Path, cache: Path, clip, message: str) -> None:
    shards.write(root / "eval", [clip])
    with pytest.raises(KerasnasError, match=message):
        load(settings(), root, cache)


def test_embeddings_of_another_size_are_refused(root: Path, cache: Path) -> None:
    clips = load(settings(), root, cache)
    with pytest.raises(KerasnasError, match="record 0 has embeddings of 128 values; .* says 64"):
        extract(clips, StoredEmbedding(values=64), cache, progress=False)


def test_classes_are_kept_in_the_order_asked_for(root: Path, cache: Path) -> None:
    given = {"dataset": "audioset", "classes": ("Rain", "Speech")}
    clips = load(data_settings(**given), root, cache)
    whole = load(settings(), root, cache)
    np.testing.assert_array_equal(clips.targets(), whole.targets()[:, [2, 0]])
    assert clips.classes == ("Rain", "Speech") and len(clips) == 52


def test_missing_parts_and_lists(root: Path, cache: Path) -> None:
    with pytest.raises(KerasnasError, match=r"neither unbal_train/\*.tfrecord nor unbal_train.h5"):
        load(settings(parts=("unbal_train", "eval")), root, cache)
    with pytest.raises(KerasnasError, match=r"mine.csv: no such file"):
        load(settings(class_labels="mine.csv"), root, cache)
    (root / "gaps.csv").write_text("index,mid,display_name\n0,/m/a,A\n2,/m/b,B\n")
    with pytest.raises(KerasnasError, match=r"gaps.csv:3: index 2 where 1 is expected"):
        load(settings(class_labels="gaps.csv"), root, cache)


def test_a_list_of_527_names_with_commas(tmp_path: Path) -> None:
    names = [f"Thing, number {index}" for index in range(527)]
    with (tmp_path / CLASS_LABELS).open("w", newline="") as file:
        table = [["index", "mid", "display_name"]]
        table += [[index, f"/m/{index}", name] for index, name in enumerate(names)]
        csv.writer(file).writerows(table)
    assert class_labels(tmp_path / CLASS_LABELS) == tuple(names)


def test_one_label_a_clip_where_that_is_said(root: Path, cache: Path) -> None:
    given = {"dataset": "audioset", "multi_label": False}
    with pytest.raises(KerasnasError, match=r"record \d+: [23] labels where exactly one"):
        load(data_settings(**given), root, cache)
