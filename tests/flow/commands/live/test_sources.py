"""Sound as it comes, from recordings and from a microphone that is made up."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.live.sources import of_microphone, of_recording

RATE = 8000


class Clock:
    """Tells the time that was slept."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, RATE), RATE, subtype="FLOAT")
    return path


def test_a_recording_is_heard_at_real_speed(recording: Path) -> None:
    clock, heard = Clock(), 0
    for block in of_recording(recording, RATE, 1, clock=clock, sleep=clock.sleep):
        heard += len(block.samples)
        assert block.arrived == clock.now == pytest.approx(100 + heard / RATE)
    assert heard == RATE


def test_who_is_late_does_not_sleep(recording: Path) -> None:
    clock = Clock()
    for block in of_recording(recording, RATE, 1, clock=clock, sleep=clock.sleep):
        clock.now += 0.05  # more than a block is long
        assert clock.now > block.arrived
    assert clock.now == pytest.approx(102.5, abs=0.06)


def test_a_fast_recording_never_sleeps(recording: Path) -> None:
    clock = Clock()
    found = list(of_recording(recording, RATE, 1, fast=True, clock=clock, sleep=clock.sleep))
    assert {block.arrived for block in found} == {100.0}
    whole = np.concatenate([block.samples for block in found])
    np.testing.assert_allclose(whole[:, 0], np.linspace(-0.5, 0.5, RATE), atol=1e-6)


class PortAudioError(Exception):
    pass


def _plug_in(
    monkeypatch: pytest.MonkeyPatch,
    play: Callable[..., None],
    rates: tuple[int, ...] = (RATE,),
) -> list[Any]:
    """Put a microphone in the place of sounddevice's: `play` is given what takes its blocks."""
    opened = []

    class InputStream:
        def __init__(self, **arguments: Any) -> None:
            opened.append(arguments)
            self._arguments = arguments

        def __enter__(self) -> None:
            play(**self._arguments)

        def __exit__(self, *error: Any) -> None:
            pass

    def check(device: Any, channels: int, kind: str, samplerate: int) -> None:
        if samplerate not in rates:
            raise PortAudioError("Invalid sample rate")

    fake = SimpleNamespace(
        PortAudioError=PortAudioError,
        InputStream=InputStream,
        check_input_settings=check,
        query_devices=lambda device, kind: {"default_samplerate": float(rates[0])},
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return opened


def _block(value: float, count: int) -> np.ndarray:
    return np.full((count, 1), value, np.float32)


def test_a_microphone_that_goes_away_ends_with_one_message(monkeypatch) -> None:
    def play(callback: Any, blocksize: int, finished_callback: Any, **other: Any) -> None:
        buffer = _block(0.25, blocksize)
        callback(buffer, blocksize, None, SimpleNamespace(input_overflow=False))
        buffer[:] = 0.5  # the system uses its memory again
        callback(buffer, blocksize, None, SimpleNamespace(input_overflow=True))
        finished_callback()

    opened = _plug_in(monkeypatch, play)
    heard = []
    with pytest.raises(KerasnasError, match="^the microphone 'Studio' has gone away: plug it in"):
        for block in of_microphone(RATE, 1, "Studio", clock=lambda: 7.0):
            heard.append(block)
    assert [(float(b.samples[0, 0]), b.arrived, b.lost) for b in heard] == [
        (0.25, 7.0, False),
        (0.5, 7.0, True),
    ]
    assert (opened[0]["samplerate"], opened[0]["device"]) == (RATE, "Studio")


def test_a_microphone_that_says_nothing_more_is_gone(monkeypatch) -> None:
    _plug_in(monkeypatch, lambda **arguments: None)
    with pytest.raises(KerasnasError, match="^the microphone has gone away"):
        next(of_microphone(RATE, 1, patience=0.01))


def test_a_microphone_of_another_rate_is_resampled(monkeypatch) -> None:
    def play(callback: Any, blocksize: int, finished_callback: Any, **other: Any) -> None:
        for _ in range(50):
            status = SimpleNamespace(input_overflow=False)
            callback(_block(0.25, blocksize), blocksize, None, status)
        finished_callback()

    opened = _plug_in(monkeypatch, play, rates=(48_000,))
    heard = []
    with pytest.raises(KerasnasError, match="gone away"):
        for block in of_microphone(RATE, 1):
            heard.append(block.samples)
    assert opened[0]["samplerate"] == 48_000
    samples = np.concatenate(heard)
    assert 0.8 * RATE < len(samples) <= RATE  # the filter holds some back
    assert samples[len(samples) // 2] == pytest.approx(0.25, abs=1e-3)


def test_a_microphone_that_cannot_be_opened_says_why(monkeypatch) -> None:
    def play(**arguments: Any) -> None:
        raise PortAudioError("Device unavailable [PaErrorCode -9985]")

    _plug_in(monkeypatch, play)
    with pytest.raises(KerasnasError, match=r"cannot be used \(Device unavailable.*--device"):
        next(of_microphone(RATE, 1))


def test_what_is_missing_is_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(KerasnasError, match=r"pip install 'kerasnas\[listen\]'"):
        next(of_microphone(RATE, 1))
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KerasnasError, match="cannot load PortAudio .*libportaudio2"):
        next(of_microphone(RATE, 1))
