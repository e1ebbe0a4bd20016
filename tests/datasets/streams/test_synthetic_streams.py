"""Streams put together from sounds hold what their lists say."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.datasets.streams.split import split_streams
from kerasnas.datasets.streams.streams import read_streams
from kerasnas.datasets.synthetic.streams import Placed, Sound, place, write_stream, write_streams

RATE = 8000


def tone(seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)


def test_events_sound_where_they_are_listed_and_as_loud_as_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    backgrounds = [Sound(f"noise{i}", rng.standard_normal(RATE)) for i in range(4)]
    events = [
        Placed(1.5, Sound("beep0", tone(1.0), "beep"), 20.0),  # over the end of a background
        Placed(3.0, Sound("beep1", tone(0.5), "beep"), 0.0),
    ]
    write_stream(tmp_path / "a.wav", 4.0, RATE, backgrounds, events)
    wave, rate = soundfile.read(tmp_path / "a.wav")
    assert (rate, len(wave)) == (RATE, 4 * RATE)
    (stream,) = read_streams(tmp_path).streams
    spans = [(line.event.start, line.event.stop) for line in stream.lines]
    assert spans == [(1.5, 2.5), (3.0, 3.5)]
    level = {
        "quiet": np.std(wave[: round(1.4 * RATE)]),
        "loud": np.std(wave[round(1.6 * RATE) : round(2.4 * RATE)]),
        "even": np.std(wave[round(3.1 * RATE) : round(3.4 * RATE)]),
    }
    assert 20 * np.log10(level["loud"] / level["quiet"]) == pytest.approx(20, abs=0.5)
    assert level["even"] / level["quiet"] == pytest.approx(np.sqrt(2), abs=0.1)
    assert {f"noise{i}" for i in range(4)} | {"beep0", "beep1"} < stream.sources


def test_too_little_background_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"backgrounds of 1\.0 s are too short for 2 s"):
        write_stream(tmp_path / "a.wav", 2.0, RATE, [Sound("a", tone(1.0))], [])


def test_events_are_placed_apart_and_each_is_used_before_any_again() -> None:
    sounds = [Sound(f"s{i}", tone(0.5), "beep") for i in range(3)]
    found = place(sounds, 60.0, RATE, np.random.default_rng(1), 2.0, (0.0, 6.0))
    starts = np.array([each.start for each in found])
    assert (np.diff(starts) > 1.0).all()
    assert starts[-1] + 0.5 <= 60.0
    assert {each.sound.source for each in found[:3]} == {"s0", "s1", "s2"}


def test_domestic_streams_are_made_again_the_same_with_their_splits(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_streams(tmp_path / name, ["alarm", "dog_bark"], minutes=0.2, rate=RATE, every=2.0)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    streams = split_streams(read_streams(tmp_path / "a"), 0)
    assert [stream.split for stream in streams.streams] == ["train", "validation", "test"] * 2
    assert [bool(stream.lines) for stream in streams.streams] == [True] * 3 + [False] * 3
    labels = {line.event.label for stream in streams.streams for line in stream.lines}
    assert labels <= {"alarm", "dog_bark"}
