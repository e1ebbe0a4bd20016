import os
import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from kerasnas.datasets import data_settings, load
from kerasnas.errors import DamagedError, KerasnasError
from kerasnas.features import (
    LogMel,
    TfioLogMel,
    clip_features,
    extract,
    of_file,
    read,
    tfio,
)
from kerasnas.features.extraction import cache, workers
from kerasnas.features.versions import Version
from tests.real_data import esc10_root

SETTINGS = LogMel(sample_rate=8000, seconds=0.5, n_fft=256, hop_length=128, mel_bins=16)


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 4000), 8000)


@pytest.fixture
def data(tmp_path):
    for number in range(3):
        write(tmp_path / "data" / "a" / f"{number}.wav", number)
        write(tmp_path / "data" / "b" / f"{number}.wav", 10 + number)
    return tmp_path / "data"


@pytest.fixture
def reads(monkeypatch):
    """Paths that were read in this process."""
    seen = []

    def counted(path, settings, version, row):
        seen.append(path)
        return clip_features(read(path, settings.sample_rate), settings)

    monkeypatch.setattr(cache, "version_features", counted)
    return seen


def clips_of(data):
    return load(data_settings(dataset="folder"), data)


def run(clips, root, settings=SETTINGS, processes=1):
    return extract(clips, settings, root / "cache", processes=processes, progress=False)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_faster_clip_is_higher(tmp_path, processes):
    seconds = np.arange(8000) / 8000
    (tmp_path / "data" / "a").mkdir(parents=True)
    soundfile.write(tmp_path / "data" / "a" / "tone.wav", np.sin(2 * np.pi * 1000 * seconds), 8000)
    write(tmp_path / "data" / "b" / "noise.wav", 1)
    clips = clips_of(tmp_path / "data")
    (row,) = [row for row, clip in enumerate(clips) if clip.path.name == "tone.wav"]
    spectrum = LogMel(
        sample_rate=8000, seconds=0.5, n_fft=256, hop_length=128, mel_bins=64, htk=True
    )
    peaks = {}
    for speed in (1.0, 1.25):
        version = Version(speed=speed)
        features = extract(clips, spectrum, tmp_path, processes, progress=False, version=version)
        peaks[speed] = features[row, 0, 10, :, 0].argmax()
    mel = 2595 * np.log10(1 + np.array([0, 1000, 1250, 4000]) / 700)  # HTK's scale, as librosa's
    bins = 65 * mel / mel[-1] - 1
    assert [peaks[1.0], peaks[1.25]] == pytest.approx(bins[1:3], abs=1)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        (SETTINGS.model_copy(update={"trim": 40.0}), "features.trim"),
        (TfioLogMel(sample_rate=8000, seconds=0.5), "features.kind: tfio_log_mel"),
    ],
)
def test_what_needs_tensorflow_io_says_so(data, tmp_path, monkeypatch, settings, setting):
    monkeypatch.setattr(tfio, "find_spec", lambda name: None)
    tfio._audio.cache_clear()
    missing = rf"{setting} needs tensorflow-io: pip install 'kerasnas\[tfio\]'"
    with pytest.raises(KerasnasError, match=missing):
        run(clips_of(data), tmp_path, settings)
    with pytest.raises(KerasnasError, match=missing):
        of_file(data / "a" / "0.wav", settings)


def test_rows_are_the_clips_in_order(data, tmp_path):
    clips = clips_of(data)
    features = run(clips, tmp_path)
    assert isinstance(features, np.memmap)
    assert features.shape == (6, 1, *SETTINGS.input_shape)
    assert features.dtype == np.float32
    for row, clip in zip(features, clips, strict=True):
        assert np.array_equal(row, clip_features(read(clip.path, 8000), SETTINGS))
    with pytest.raises(ValueError, match="read-only"):
        features[0] = 0


def test_a_second_run_reads_no_audio(data, tmp_path, reads):
    first = run(clips_of(data), tmp_path)
    assert len(reads) == 6
    second = run(clips_of(data), tmp_path)
    assert len(reads) == 6
    assert np.array_equal(first, second)


def _flipped(content):
    """The content of an array with one bit of its last value changed."""
    return content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path, content: path.write_bytes(b""), "No data left"),
        (lambda path, content: path.write_bytes(content[:-9]), "mmap length"),
        (lambda path, content: path.write_bytes(b"junk" + content[4:]), "allow_pickle"),
        (lambda path, content: np.save(path, np.zeros(3)), "another array"),
        (lambda path, content: path.unlink(), "No such file"),
        (lambda path, content: path.write_bytes(_flipped(content)), "its checksum"),
        (lambda path, content: np.save(path, np.load(path)[::-1]), "its checksum"),
        (lambda path, content: path.with_name("about.json").unlink(), "No such file"),
    ],
    ids=["emptied", "cut", "foreign", "another", "lost", "flipped", "turned", "undescribed"],
)
def test_a_damaged_array_is_named_with_what_to_do(data, tmp_path, damage, why):
    run(clips_of(data), tmp_path)
    (entry,) = (tmp_path / "cache" / "features").iterdir()
    damage(entry / "features.npy", (entry / "features.npy").read_bytes())
    with pytest.raises(DamagedError, match=rf"{why}.*delete {entry} and run the command again"):
        run(clips_of(data), tmp_path)


def test_changes_are_noticed(data, tmp_path, reads):
    clips = clips_of(data)
    first = np.array(run(clips, tmp_path))
    write(data / "a" / "1.wav", 99)  # same size, other samples
    changed = run(clips, tmp_path)
    assert len(reads) == 12
    assert [bool((a == b).all()) for a, b in zip(first, changed, strict=True)] == [
        True, False, True, True, True, True,
    ]  # fmt: skip
    run(clips, tmp_path, SETTINGS.model_copy(update={"fmin": 20.0}))
    assert len(reads) == 18
    reordered = run(clips.subset([1, 0, 2, 3, 4, 5]), tmp_path)
    assert len(reads) == 24
    assert np.array_equal(reordered[0], changed[1])


def test_a_new_version_of_the_code_computes_again(data, tmp_path, reads, monkeypatch):
    run(clips_of(data), tmp_path)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    run(clips_of(data), tmp_path)
    assert len(reads) == 12


@pytest.mark.slow
def test_workers_compute_what_one_process_computes(data, tmp_path):
    clips = clips_of(data)
    alone = run(clips, tmp_path / "one")
    together = run(clips, tmp_path / "two", processes=2)
    assert np.array_equal(alone, together)


def test_formats_rates_and_channels_may_differ_within_a_data_set(tmp_path):
    for label, level in (("a", 1.0), ("b", 0.9)):
        tone = level * np.sin(np.arange(24000) * 2 * np.pi * 440 / 24000)
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "1.wav", tone, 24000, subtype="PCM_24")
        soundfile.write(tmp_path / label / "2.flac", np.stack([tone, tone], axis=1), 24000)
        soundfile.write(tmp_path / label / "3.mp3", tone, 24000)
        soundfile.write(tmp_path / label / "4.ogg", tone, 24000)
        soundfile.write(tmp_path / label / "5.wav", tone[::3], 8000, subtype="FLOAT")
    features = run(clips_of(tmp_path), tmp_path)
    assert features.shape[0] == 10
    # On Slaney's scale 4000 Hz are 35.2 mel, 440 Hz 6.6; band b is centred on (b + 1) * 35.2 / 17.
    assert (features[:, 0, 5:20].mean(axis=(1, 3)).argmax(axis=1) == 2).all()


def test_real_recordings(tmp_path):
    clips = load(data_settings(dataset="esc50", esc10=True), esc10_root()).subset(range(0, 398, 99))
    features = run(clips, tmp_path, LogMel(sample_rate=22050, seconds=5.0, hop_length=512))
    assert features.shape == (5, 1, 216, 64, 1)
    assert np.isfinite(features).all()
    assert (np.ptp(features, axis=(1, 2, 3, 4)) > 20).all()  # dB


def test_float16_halves_the_file(data, tmp_path):
    full = run(clips_of(data), tmp_path)
    half = run(clips_of(data), tmp_path, SETTINGS.model_copy(update={"storage": "float16"}))
    assert half.dtype == np.float16
    assert half.nbytes * 2 == full.nbytes
    assert np.abs(half.astype(np.float32) - full).max() < 0.1  # dB


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_bad_file_is_named_and_nothing_is_left(data, tmp_path, processes):
    (data / "b" / "1.wav").write_bytes(b"not audio, whatever its name says")
    with pytest.raises(KerasnasError, match=r"b/1\.wav: cannot be read as audio"):
        run(clips_of(data), tmp_path, processes=processes)
    assert list((tmp_path / "cache" / "features").iterdir()) == []


def test_a_file_that_vanished_is_named(data, tmp_path):
    clips = clips_of(data)
    (data / "a" / "2.wav").unlink()
    with pytest.raises(KerasnasError, match=r"a/2\.wav: No such file"):
        run(clips, tmp_path)


def test_a_cache_that_cannot_be_written(data, tmp_path):
    (tmp_path / "cache").write_text("a file where a directory should be")
    with pytest.raises(KerasnasError, match="cannot be written .* KERASNAS_CACHE"):
        run(clips_of(data), tmp_path)


def test_without_locks_whoever_is_second_takes_the_first_ones_array(data, tmp_path, monkeypatch):
    def without_locks(lock):
        raise OSError("not supported")

    monkeypatch.setattr(FileLock, "acquire", without_locks)
    clips = clips_of(data)
    compute = cache.compute

    def overtaken(*arguments):
        monkeypatch.setattr(cache, "compute", compute)
        run(clips, tmp_path)  # another process finishes the same entry meanwhile
        compute(*arguments)

    monkeypatch.setattr(cache, "compute", overtaken)
    features = run(clips, tmp_path)
    (entry,) = (tmp_path / "cache" / "features").iterdir()
    assert Path(features.filename).parent == entry
    assert features.shape[0] == 6


def test_who_comes_second_waits_and_computes_nothing(data, tmp_path, reads):
    first = run(clips_of(data), tmp_path)
    (entry,) = (tmp_path / "cache" / "features").iterdir()
    entry.rename(tmp_path / "kept")
    reads.clear()
    found = []
    second = Thread(target=lambda: found.append(run(clips_of(data), tmp_path)))
    with FileLock(tmp_path / "cache" / "locks" / entry.name):
        second.start()
        second.join(0.3)
        (tmp_path / "kept").rename(entry)
    second.join()
    np.testing.assert_array_equal(found[0], first)
    assert reads == []


@pytest.mark.slow
def test_two_processes_at_once_and_from_an_unguarded_script(data, tmp_path):
    """A script without `if __name__ == "__main__"` works, and its workers do not run it again."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        print("started")
        from kerasnas.datasets import load, data_settings
        from kerasnas.features import LogMel, extract
        clips = load(data_settings(dataset="folder"), sys.argv[1])
        settings = LogMel.model_validate_json(sys.argv[2])
        print(extract(clips, settings, sys.argv[3], processes=2).sum())
        assert "tensorflow" not in sys.modules
        """)
    )
    command = [sys.executable, str(script), str(data), SETTINGS.model_dump_json(), str(tmp_path)]
    home = str(Path(__file__).parents[3])
    children = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": home},
        )
        for _ in range(2)
    ]
    outputs = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("started") == 1
    assert len(list((tmp_path / "features").iterdir())) == 1


@pytest.mark.slow
def test_workers_start_without_tensorflow():
    code = (
        "import sys, kerasnas.features.extraction.worker, librosa.filters;"
        "from librosa import stft;"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_worker_that_is_killed_is_reported(data, tmp_path, monkeypatch):
    def doomed():
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)

    monkeypatch.setattr(workers, "start_worker", doomed)
    with pytest.raises(KerasnasError, match="worker was killed by SIGKILL"):
        run(clips_of(data), tmp_path, processes=2)
    assert list((tmp_path / "cache" / "features").iterdir()) == []


def test_a_disk_without_room_is_named(data, tmp_path):
    """A limit on the size of files stands in for a full disk."""
    code = textwrap.dedent("""
        import resource, sys
        from kerasnas.datasets import load, data_settings
        from kerasnas.errors import KerasnasError
        from kerasnas.features import LogMel, extract
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            extract(load(data_settings(dataset="folder"), sys.argv[1]), LogMel(), sys.argv[2])
        except KerasnasError as error:
            print(error)
    """)
    command = [sys.executable, "-c", code, str(data), str(tmp_path / "cache")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert "cannot be written (File too large); set KERASNAS_CACHE" in result.stdout
    assert list((tmp_path / "cache" / "features").iterdir()) == []


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing_and_says_nothing_twice(data, tmp_path):
    code = textwrap.dedent("""
        import _thread, sys
        from kerasnas.datasets import load, data_settings
        from kerasnas.features import LogMel
        from kerasnas.features.extraction import cache
        cache.Progress.advance = lambda *_: _thread.interrupt_main()
        clips = load(data_settings(dataset="folder"), sys.argv[1])
        try:
            cache.extract(clips, LogMel(), sys.argv[2], processes=2)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    command = [sys.executable, "-c", code, str(data), str(tmp_path / "cache")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert result.stdout == "interrupted\n"
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "cache" / "features").iterdir()) == []
