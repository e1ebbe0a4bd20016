import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.errors import KerasnasError
from kerasnas.features.embedding_settings import Embedding
from kerasnas.features.settings import LogMel
from kerasnas.flow.task.excerpts import Excerpt, evidence, excerpt, within

RATE = 16_000


def _recording(path: Path, seconds: float, loud: tuple[float, float], rate: int = RATE) -> Path:
    """A quiet tone of 440 Hz that is loud between two times."""
    time = np.arange(round(seconds * rate)) / rate
    level = np.where((time >= loud[0]) & (time < loud[1]), 0.5, 0.005)
    soundfile.write(path, level * np.sin(2 * np.pi * 440 * time), rate)
    return path


def test_the_loudest_part_of_a_long_clip_is_cut_out(tmp_path: Path):
    path = _recording(tmp_path / "a.wav", 10, (5, 7))
    found = excerpt(path, LogMel(seconds=10))
    assert found.stop - found.start == pytest.approx(3)
    assert found.start <= 5
    assert found.stop >= 7
    sound, rate = soundfile.read(io.BytesIO(found.mp3))
    assert rate == RATE
    assert len(sound) == pytest.approx(3 * RATE, abs=RATE // 10)
    assert np.abs(sound).max() == pytest.approx(0.9, abs=0.1)
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert len(found.mp3) < 20_000


def test_what_the_network_never_heard_is_left_out(tmp_path: Path):
    found = excerpt(_recording(tmp_path / "a.wav", 10, (8, 10)), LogMel(seconds=4))
    assert found.stop <= 4


def test_nothing_behind_a_clip_is_read(tmp_path: Path):
    sound = np.zeros(60 * RATE)
    sound[:RATE], sound[-1] = 0.5, np.nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    assert excerpt(tmp_path / "a.wav", LogMel(seconds=2)).stop == pytest.approx(2)


def test_the_part_that_matters_is_cut_out(tmp_path: Path):
    path = _recording(tmp_path / "a.wav", 10, (0, 1), rate=44_100)
    found = excerpt(path, LogMel(seconds=10), where=(4.0, 5.5))
    assert (found.start, found.stop) == (pytest.approx(4), pytest.approx(5.5))
    assert soundfile.info(io.BytesIO(found.mp3)).samplerate == 32_000
    padding = excerpt(path, LogMel(seconds=20), where=(12.0, 13.0))  # behind the recording's end
    assert padding.stop - padding.start < 0.01


def test_silence_and_short_clips_are_encoded(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE // 20), RATE)
    assert excerpt(tmp_path / "a.wav", LogMel()).mp3
    with pytest.raises(KerasnasError, match="no such file"):
        excerpt(tmp_path / "b.wav", LogMel())


def test_evidence_is_the_segment_with_the_highest_score():
    settings = LogMel(seconds=4, segment_frames=50, segment_hop=25)
    scores = np.zeros((settings.segments, 3), np.float32)
    scores[2, 1] = 0.9
    second = 256 / RATE
    assert evidence(scores, 1, settings) == pytest.approx((50 * second, 100 * second))
    assert evidence(scores[:1], 1, LogMel(seconds=4)) is None
    assert evidence(scores[:1], 1, Embedding(model=Path("a.tflite"))) is None


def test_evidence_of_a_channel_lies_at_the_time_of_its_segment():
    settings = LogMel(seconds=4, segment_frames=50, channel_examples=2)
    scores = np.zeros((settings.segments, 3), np.float32)
    scores[settings.channel_segments + 1, 0] = 0.9
    assert evidence(scores, 0, settings) == pytest.approx((50 * 256 / RATE, 100 * 256 / RATE))


def test_excerpts_end_where_the_bytes_do():
    made = []

    def each():
        for number in range(10):
            made.append(number)
            yield Excerpt(0, 1, bytes(300))

    assert len(list(within(each(), most=1250))) == 3
    assert made == [0, 1, 2, 3]
