"""TFRecord files against TensorFlow's own, and every way a file can be damaged."""

import numpy as np
import pytest

from kerasnas.datasets.audioset.tfrecord import Damage, records, write

DATA = [
    np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    for size in (0, 1, 33, 2048, 5000)
]


def test_files_are_tensorflows(tmp_path) -> None:
    import tensorflow as tf

    write(tmp_path / "ours.tfrecord", DATA)
    with tf.io.TFRecordWriter(str(tmp_path / "theirs.tfrecord")) as writer:
        for data in DATA:
            writer.write(data)
    ours, theirs = tmp_path / "ours.tfrecord", tmp_path / "theirs.tfrecord"
    assert ours.read_bytes() == theirs.read_bytes()
    assert list(records(theirs)) == DATA


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "a.tfrecord"
    write(path, [b"first", b"second", b"third"])
    return path


def damaged(path, position: int) -> list:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    return list(records(path))


SIZE = 8 + 4 + 5 + 4  # of the first record


@pytest.mark.parametrize("position", [12, 16, 17, 20])
def test_reading_goes_on_behind_damaged_data(shard, position: int) -> None:
    first, *rest = damaged(shard, position)
    assert first == Damage(0, "its checksum is wrong")
    assert rest == [b"second", b"third"]


@pytest.mark.parametrize("position", [SIZE, SIZE + 7, SIZE + 8, SIZE + 11])
def test_a_damaged_length_ends_the_file(shard, position: int) -> None:
    first, second = damaged(shard, position)
    assert first == b"first"
    assert second.record == 1 and "checksum of its length" in second.reason


def test_a_file_cut_anywhere_ends_with_the_record_that_is_cut(shard) -> None:
    whole = shard.read_bytes()
    ends = {0: 0, SIZE: 1, SIZE + 22: 2, len(whole): 3}
    for length in range(len(whole) + 1):
        shard.write_bytes(whole[:length])
        found = list(records(shard))
        good = [data for data in found if isinstance(data, bytes)]
        assert good == [b"first", b"second", b"third"][: len(good)]
        if length in ends:
            assert len(found) == len(good) == ends[length]
        else:
            assert isinstance(found[-1], Damage)
            assert found[-1].record == len(good) and "cut short" in found[-1].reason
