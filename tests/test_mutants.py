"""Files that were damaged or made up are read, or refused with one message: no other end.

Each test takes files that are sound and changes them. By day it tries a few, at night thousands.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kerasnas import experiment
from kerasnas.datasets.folder import load_csv
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.export.keras_model.model_file import check_model, load_keras
from kerasnas.features.audio import read as read_audio
from kerasnas.models.pretrained.file import read as read_trunk
from kerasnas.tuners import Gene, JournalError, Results, Search
from tests.effort import effort
from tests.mutants import mutated, resettled, within_patience

ROOT = Path(__file__).parents[1]
CONFIGS = {
    path.stem: path.read_bytes()
    for path in sorted((ROOT / "configs").glob("*.yaml"))
    if "pretrained" not in path.stem  # their files do not come along
}


def refused(read: Callable[[], Any], *errors: type[Exception]) -> bool:
    """Whether what is read is refused, with a message of a bearable length."""
    with within_patience():
        try:
            read()
        except errors as error:
            assert 0 < len(str(error)) < 50_000
            assert "Traceback" not in str(error)
            return True
    return False


@given(data=st.data(), name=st.sampled_from(sorted(CONFIGS)))
@effort(day=60, night=2_000)
def test_damaged_experiments(data: st.DataObject, name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data.draw(mutated(CONFIGS[name])))
    refused(lambda: experiment.load(path).to_yaml(), KerasnasError)


@functools.cache
def resolved(name: str) -> dict[str, Any]:
    """Return an experiment with every default filled in."""
    loaded = experiment.load(ROOT / "configs" / f"{name}.yaml")
    return loaded.model_dump(mode="json", by_alias=True)


@given(data=st.data(), name=st.sampled_from(sorted(CONFIGS)))
@effort(day=100, night=2_000)
def test_experiments_with_odd_values(data: st.DataObject, name: str, tmp_path: Path) -> None:
    settings = resolved(name)
    for _ in range(data.draw(st.integers(1, 3))):
        settings = data.draw(resettled(settings))
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    if not refused(lambda: experiment.load(path), KerasnasError):
        first = experiment.load(path)
        path.write_text(first.to_yaml(), encoding="utf-8")
        assert experiment.load(path) == first


CSV = (
    b"filename,labels,fold,split,group\n"
    b'a.wav,"dog;cat",1,train,x\nb.wav,cat,2,test,\n"c.wav",dog,1,validation,y\n'
)


@given(content=mutated(CSV), multi_label=st.booleans())
@effort(day=100, night=2_000)
def test_damaged_lists_of_clips(content: bytes, multi_label: bool, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(b"")
    (tmp_path / "clips.csv").write_bytes(content)
    path = Path("clips.csv")
    refused(lambda: load_csv(tmp_path, path, multi_label=multi_label), KerasnasError)


def recording(suffix: str, subtype: str) -> bytes:
    wave = 0.5 * np.sin(np.arange(4000) / 5)
    content = io.BytesIO()
    soundfile.write(content, np.stack([wave, wave], axis=1), 16000, subtype, format=suffix)
    return content.getvalue()


RECORDINGS = {
    "wav": recording("wav", "PCM_16"),
    "float.wav": recording("wav", "FLOAT"),
    "aiff": recording("aiff", "PCM_24"),
    "flac": recording("flac", "PCM_16"),
    "ogg": recording("ogg", "VORBIS"),
    "mp3": recording("mp3", "MPEG_LAYER_III"),
}


@given(data=st.data(), name=st.sampled_from(sorted(RECORDINGS)))
@effort(day=60, night=2_000)
def test_damaged_recordings(data: st.DataObject, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(data.draw(mutated(RECORDINGS[name])))

    def read() -> None:
        waveform = read_audio(path, 8000)
        assert waveform.dtype == np.float32
        assert np.isfinite(waveform).all()
        assert len(waveform) < 20_000_000

    refused(read, KerasnasError)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of some trials."""
    directory = tmp_path_factory.mktemp("searched")
    genes = [Gene("width", values=(1, 2, 3, 4)), Gene("deep", values=(False, True))]
    with Search(genes, [("loss", "min")], max_trials=6, directory=directory) as search:
        search.enqueue({"width": 2, "deep": True})
        while trial := search.ask():
            if trial.number == 3:
                search.fail(trial.id, "no good", "Traceback")
            else:
                search.tell(trial.id, {"loss": trial.number / 3}, {"crc": '"crc":"00000000"}'})
    return directory


@given(data=st.data())
@effort(day=100, night=2_000)
def test_damaged_journals(data: st.DataObject, searched: Path, tmp_path: Path) -> None:
    whole = (searched / "journal.jsonl").read_bytes()
    content = data.draw(mutated(whole))
    (tmp_path / "journal.jsonl").write_bytes(content)
    found: list[Results] = []
    if not refused(lambda: found.append(Results.read(tmp_path)), JournalError):
        sound = content[: content.rindex(b"\n") + 1]
        assert whole.startswith(sound), "what is believed is the beginning of what was written"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A `.keras` and a `.tflite` file of the same small network."""
    import keras
    from keras import layers

    from kerasnas.export.convert.lowering import Candidate, convert_candidate
    from kerasnas.export.settings import ExportSettings

    directory = tmp_path_factory.mktemp("models")
    inputs = keras.Input((6, 5, 1))
    x = layers.Conv2D(2, 3, activation="relu")(inputs)
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    keras.Model(inputs, x).save(directory / "model.keras")
    convert_candidate(
        directory / "model.keras",
        Candidate("float32"),
        directory / "model.tflite",
        scratch=directory,
        limits=ExportSettings(),
    )
    return {suffix: (directory / f"model.{suffix}").read_bytes() for suffix in ("keras", "tflite")}


@pytest.mark.slow
@given(data=st.data())
@effort(day=60, night=2_000)
def test_damaged_tflite_files(
    data: st.DataObject, models: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(data.draw(mutated(models["tflite"])))
    refused(lambda: read_trunk(path), KerasnasError)


@pytest.mark.slow
@given(data=st.data())
@effort(day=20, night=2_000)
def test_damaged_keras_files(data: st.DataObject, models: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    path.write_bytes(data.draw(mutated(models["keras"])))
    refused(lambda: check_model(load_keras(path), "a.keras"), ExportError)
