import os
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel, of_file, read, sliding
from kerasnas.features.audio import Header, blocks, read_header

RATE = 16000


def tone(seconds=0.5, rate=RATE, frequency=440.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_32", 2**-24),
        ("a.wav", "FLOAT", 1e-7),
        ("a.wav", "DOUBLE", 1e-7),
        ("a.flac", "PCM_24", 2**-23),
        ("a.ogg", "VORBIS", 0.1),
    ],
)
def test_formats(tmp_path, name, subtype, tolerance):
    wave = np.stack([tone(), tone(frequency=1000)], axis=1)
    soundfile.write(tmp_path / name, wave, RATE, subtype=subtype)
    both = read(tmp_path / name, RATE, channels=2)
    assert both.dtype == np.float32
    assert both.shape == (8000, 2)
    assert np.abs(both - wave).max() <= tolerance
    mono = read(tmp_path / name, RATE)
    assert mono.shape == (8000, 1)
    assert np.abs(mono[:, 0] - wave.mean(axis=1)).max() <= tolerance


def test_mp3(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(2.0), RATE)
    samples = read(tmp_path / "a.mp3", RATE)[:, 0]
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert np.argmax(spectrum) == 440
    assert abs(len(samples) - 2 * RATE) < 4000


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_any_rate_becomes_the_one_asked_for(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(1.0, rate), rate, subtype="FLOAT")
    samples = read(tmp_path / "a.wav", RATE)[:, 0]
    assert len(samples) == RATE
    middle = slice(2000, 14000)
    assert np.abs(samples[middle] - tone(1.0)[middle]).max() < 2e-3


def test_a_mono_file_serves_two_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    both = read(tmp_path / "a.wav", RATE, channels=2)
    assert np.array_equal(both[:, 0], both[:, 1])


def test_four_channels_are_averaged_or_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile([0.1, 0.2, 0.3, 0.4], (100, 1)), RATE)
    assert np.allclose(read(tmp_path / "a.wav", RATE), 0.25, atol=1e-4)
    with pytest.raises(KerasnasError, match=r"a\.wav: has 4 channels where 2 are expected"):
        read(tmp_path / "a.wav", RATE, channels=2)


def test_silence_is_a_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    assert not read(tmp_path / "a.wav", RATE).any()


def test_a_single_sample_is_a_recording_at_any_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 48000)
    assert read(tmp_path / "a.wav", 8000).shape == (1, 1)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_the_beginning_is_read_as_it_is_in_the_whole(tmp_path, name, rate):
    noise = 0.1 * np.random.default_rng(0).standard_normal((20 * rate, 2))
    soundfile.write(tmp_path / name, noise, rate)
    whole = read(tmp_path / name, RATE)
    assert len(whole) == 20 * RATE
    for seconds in (0.001, 1.3, 7, 20, 99):
        beginning = read(tmp_path / name, RATE, seconds=seconds)
        assert np.array_equal(beginning, whole[: round(seconds * RATE)])


def test_names_that_are_no_text(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    with path.open("wb") as file:
        soundfile.write(file, tone(), RATE, format="WAV")
    assert len(read(path, RATE)) == 8000
    assert read_header(path).seconds == 0.5


def test_blocks_do_not_show(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone(3, 44100), 44100)
    whole = read(tmp_path / "a.wav", RATE)
    monkeypatch.setattr("kerasnas.features.audio.BLOCK", 1000)
    assert np.array_equal(read(tmp_path / "a.wav", RATE), whole)


def zeros(path, seconds, rate):
    """Write a stereo file of silence that takes no room on the disk."""
    soundfile.write(path, np.zeros((1, 2), np.int16), rate)
    header = bytearray(path.read_bytes()[:44])
    size = 4 * seconds * rate
    header[4:8], header[40:44] = (36 + size).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(44 + size)
    return path


def peak_bytes(function):
    """Return the most memory that a call holds."""
    function()  # imports
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_of_two_hours_only_the_beginning_is_read(tmp_path):
    path = zeros(tmp_path / "a.wav", 7200, 44100)
    assert read_header(path) == Header(44100, 7200, 2)
    settings = LogMel(sample_rate=RATE, seconds=1.5)
    assert of_file(path, settings).shape == (1, *settings.input_shape)
    assert peak_bytes(lambda: of_file(path, settings)) < 20e6


def test_no_more_than_a_block_is_held_of_a_recording_that_is_cut_into_clips(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasnas.features.audio.BLOCK", 5000)
    path = zeros(tmp_path / "a.wav", 60, 16000)
    settings = LogMel(sample_rate=8000, seconds=1)

    def clips():
        return sum(1 for _ in sliding(blocks(path, 8000), settings))

    assert clips() == 60
    assert peak_bytes(clips) < 60 * 8000 * 4 / 2


def test_a_small_file_that_unpacks_to_a_great_length_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasnas.features.audio.BLOCK", 1000)
    monkeypatch.setattr("kerasnas.features.audio.LONGEST", 100_000)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(500_000), RATE)
    with pytest.raises(KerasnasError, match=r"a\.flac: holds more than 100,000 samples at 16000"):
        read(path, RATE)
    assert len(read(path, RATE, seconds=5)) == 5 * RATE
    assert len(read(path, 2000)) == 500_000 // 8


@pytest.mark.slow
def test_long_recordings_are_read_in_blocks(tmp_path):
    path = zeros(tmp_path / "a.wav", 600, 48000)
    assert peak_bytes(lambda: read(path, 8000)) < 2.5 * 600 * 8000 * 4


@pytest.mark.parametrize("lost", [1, 7000])
def test_wav_cut_short(tmp_path, lost):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(
        KerasnasError, match=rf"a\.wav: cut short: .* 16000 bytes .* {16000 - lost}"
    ):
        read(path, RATE)


def test_wav_cut_short_behind_other_chunks(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    whole = path.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"abc\0"  # chunks are padded to even lengths
    data = whole.index(b"data")
    path.write_bytes(whole[:data] + note + whole[data:-100])
    with pytest.raises(KerasnasError, match="cut short"):
        read(path, RATE)


def test_wav_cut_inside_its_header(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(KerasnasError, match=r"a\.wav: cannot be read as audio"):
        read(path, RATE)


@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"])
def test_wav_of_unknown_length_as_written_to_a_pipe(tmp_path, size):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    whole = bytearray(path.read_bytes())
    data = whole.index(b"data")
    whole[4:8] = whole[data + 4 : data + 8] = size
    path.write_bytes(whole)
    assert len(read(path, RATE)) == 8000


def test_flac_cut_short(tmp_path):
    path = tmp_path / "a.flac"
    rng = np.random.default_rng(0)
    soundfile.write(path, rng.uniform(-1, 1, 48000), RATE)
    path.write_bytes(path.read_bytes()[:-30000])
    with pytest.raises(KerasnasError, match=r"a\.flac: "):
        read(path, RATE)


def test_what_is_no_recording_is_named(tmp_path):
    path = tmp_path / "a.wav"
    with pytest.raises(KerasnasError, match=r"a\.wav: no such file"):
        read(path, RATE)
    path.write_bytes(b"")
    with pytest.raises(KerasnasError, match=r"a\.wav: is an empty file"):
        read(path, RATE)
    path.write_text("this is no audio at all, whatever its name may be")
    with pytest.raises(KerasnasError, match=r"a\.wav: cannot be read as audio .* use wav, flac"):
        read(path, RATE)
    soundfile.write(path, np.zeros(0), RATE)
    with pytest.raises(KerasnasError, match=r"a\.wav: holds 0 samples"):
        read(path, RATE)
    soundfile.write(path, np.array([0.0, np.nan]), RATE, subtype="FLOAT")
    with pytest.raises(
        KerasnasError, match=r"a\.wav: holds samples that are infinite or not .*; write"
    ):
        read(path, RATE)
    with pytest.raises(KerasnasError, match="is a directory"):
        read(tmp_path, RATE)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_samples_whose_powers_would_be_infinite_are_refused(tmp_path, rate):
    path = tmp_path / "a.wav"
    wave = tone(rate=rate)
    wave[100] = 3e38
    soundfile.write(path, wave, rate, subtype="FLOAT")
    with pytest.raises(KerasnasError, match=r"a\.wav: holds samples of up to 3e\+38, where full"):
        read(path, RATE)
    wave[100] = -(2.0**31)  # integers of 32 bits, taken for floats
    soundfile.write(path, wave, rate, subtype="FLOAT")
    assert np.isfinite(of_file(path, LogMel(sample_rate=RATE, seconds=0.5))).all()
