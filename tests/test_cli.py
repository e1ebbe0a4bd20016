"""Bad input on the command line: one clear message, exit code 2, nothing lost."""

import io
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from kerasnas.cli import main
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import open_run
from kerasnas.tuners import LostError
from tests.command_line import call

pytestmark = pytest.mark.usefixtures("own_places")

RATE = 8000


def recordings(root: Path, **classes: int) -> Path:
    rng = np.random.default_rng(0)
    for label, count in classes.items():
        (root / label).mkdir(parents=True)
        for index in range(count):
            samples = 0.1 * rng.standard_normal(RATE // 4)
            soundfile.write(root / label / f"{index}.wav", samples, RATE)
    return root


def experiment(root: Path | None, **fields: object) -> Path:
    data = {"dataset": "folder"} | ({} if root is None else {"root": str(root)})
    settings = {
        "sample_rate": RATE,
        "seconds": 0.25,
        "n_fft": 256,
        "hop_length": 64,
        "mel_bins": 16,
    }
    plain = {"name": "x", "data": data, "features": settings, **fields}
    path = Path("x.yaml")
    path.write_text(yaml.safe_dump(plain))
    return path


def test_names_that_are_no_text_can_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    name = os.fsdecode(b"caf\xe9.yaml")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "argv", ["kerasnas", "init", str(root), "-o", name])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    screen.seek(0)
    assert "wrote caf\\udce9.yaml" in screen.read()


def test_a_missing_experiment(tmp_path: Path) -> None:
    assert "no experiment nowhere.yaml" in call("search", "nowhere.yaml")


def test_an_unknown_field() -> None:
    text = call("search", experiment(None, serch={}))
    assert "x.yaml:" in text
    assert "serch: unknown field; allowed here: schema, name" in text


def test_a_missing_directory(tmp_path: Path) -> None:
    assert "gone: data directory does not exist" in call(
        "search", experiment(None), "--data", "gone"
    )


def test_data_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASNAS_DATA", str(tmp_path / "elsewhere"))
    assert "elsewhere: data directory does not exist" in call("search", experiment(tmp_path))
    root = recordings(tmp_path / "data", dog=4)
    assert "every clip is labelled dog" in call("search", experiment(None), "--data", root)


def test_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no audio found" in call("search", experiment(tmp_path / "empty"))


def test_one_class_only(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", dog=4)
    assert "every clip is labelled dog" in call("search", experiment(root))


def test_a_file_that_is_no_audio(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    (root / "dog" / "3.wav").write_text("not audio")
    assert "3.wav: cannot be read as audio" in call("search", experiment(root))


def test_a_wav_cut_short(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    path = root / "cat" / "2.wav"
    path.write_bytes(path.read_bytes()[:-500])
    assert "2.wav: cut short" in call("search", experiment(root))


def test_a_clip_of_no_samples(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    soundfile.write(root / "cat" / "1.wav", np.zeros(0), RATE)
    assert "1.wav: holds 0 samples" in call("search", experiment(root))


def test_a_fold_without_a_class(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=6, dog=6)
    lines = [f"{label}/{i}.wav,{label},{1 + (i > 2)}" for label in ("cat", "dog") for i in range(6)]
    lines[0] = "cat/0.wav,cat,3"
    (root / "clips.csv").write_text("filename,labels,fold\n" + "\n".join(lines) + "\n")
    path = experiment(root, split={"by": "fold", "test_fold": 3})
    plain = yaml.safe_load(path.read_text())
    plain["data"]["csv"] = "clips.csv"
    path.write_text(yaml.safe_dump(plain))
    assert "no clip of dog in fold 3" in call("search", path)


def test_features_too_small_for_the_space(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    path = experiment(root, model={"stem_strides": [2, 2]})
    assert "16 bins are too few for a stem stride of 2 and 4 poolings" in call("search", path)


@pytest.mark.slow
def test_an_impossible_window(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    path = experiment(root, search={"window": {"rule": "float32_params", "maximum": 7}})
    text = call("search", path)
    assert re.search(r"no candidate fits the window of 0 to 7: [\d,]+ were tried", text)
    assert re.search(r"sizes were [\d,]+ to [\d,]+, median [\d,]+", text)


def test_the_run_of_another_experiment_is_kept(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    with open_run(tmp_path / "runs" / "x", Experiment.model_validate({"name": "other"})):
        (tmp_path / "runs" / "x" / "journal.jsonl").write_text("")
    before = (tmp_path / "runs" / "x" / "experiment.yaml").read_bytes()
    assert "holds the run of another experiment" in call("search", experiment(root))
    assert (tmp_path / "runs" / "x" / "experiment.yaml").read_bytes() == before


def test_an_unknown_reference(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    text = call("train", experiment(root), "--architecture", "model_c")
    assert not (tmp_path / "runs").exists()
    assert "unknown reference 'model_c'" in text
    assert "model_a, model_a_5x5, model_b" in text


def test_a_search_of_an_unknown_reference_makes_no_features(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    tuned = {"tune": {"training.candidate.batch_size": [8, 16]}}
    text = call("search", experiment(root, search=tuned), "--architecture", "model_c")
    assert "unknown reference 'model_c': this space has model_a" in text
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "cache").exists()


def test_unknown_folds(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    text = call("train", experiment(root), "--architecture", "model_a", "--folds", "9")
    assert "there is no fold '9': there are 1, 2, 3, 4, 5" in text


@pytest.mark.parametrize("name", ["model.tflite", "model.keras"])
def test_damaged_models(tmp_path: Path, name: str) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    (tmp_path / name).write_bytes(b"\x1c\x00\x00\x00" + bytes(range(200)))
    text = call("evaluate", name, "--experiment", experiment(root))
    assert f"{name} is damaged" in text


def test_an_export_without_clips_to_calibrate_with(tmp_path: Path) -> None:
    import keras
    from keras import layers

    root = recordings(tmp_path / "data", cat=9, dog=9)
    names = [path.relative_to(root) for path in sorted(root.glob("*/*.wav"))]
    listed = "".join(f"{name},{name.parent},test\n" for name in names)
    (root / "clips.csv").write_text(f"filename,labels,split\n{listed}")
    data = {"dataset": "folder", "root": str(root), "csv": "clips.csv"}
    inputs = keras.Input((32, 16, 1))
    outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, outputs).save("model.keras")
    settings = experiment(None, data=data, split={"by": "split"})
    text = call("export", "model.keras", "--experiment", settings)
    assert "all 18 clips are to be tested on, and none is left to train on: add" in text
    for name in names:
        soundfile.write(root / name, np.zeros(RATE // 4), RATE)
    text = call("export", "model.keras", "--experiment", experiment(root))
    assert "all values of the calibration clips are -" in text
    assert not (tmp_path / "export").exists()


def test_a_model_outside_of_any_run(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    assert "lies in no run directory: give --experiment" in call("evaluate", "model.tflite")


def test_models_that_are_no_files(tmp_path: Path) -> None:
    assert "gone.tflite is no file" in call("predict", "gone.tflite", "a.wav")
    assert f"{tmp_path} is no file" in call("evaluate", tmp_path)


def test_predict_without_its_front_end(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    assert "features.json does not exist" in call("predict", "model.tflite", "a.wav")


def test_predict_takes_exported_files(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"x")
    assert "give a .tflite file of its export" in call("predict", "model.keras", "a.wav")


def test_a_run_that_does_not_exist() -> None:
    assert "gone does not exist: give a run directory" in call("export", "gone")


def test_a_directory_that_is_no_run(tmp_path: Path) -> None:
    for command in ("trials", "report", "export"):
        assert "no run directory" in call(command, tmp_path)


@pytest.mark.parametrize("text", ["2 hours", "h", "-5m", "", "0s"])
def test_a_time_budget_that_cannot_be_read(text: str) -> None:
    assert "write it as 90s, 30m, 2h or 1h30m" in call(
        "search", experiment(None), f"--time-budget={text}"
    )


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LostError("the head of the Ray cluster is gone"), 2, "error: the head of the Ray"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_what_can_go_on_says_by_which_command(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("kerasnas.flow.commands.search.search", lost)
    monkeypatch.setattr("sys.argv", ["kerasnas", "search", "my x.yaml", "--overwrite"])
    text = call("search", "my x.yaml", "--overwrite", code=code)
    assert said in text
    assert text.endswith("To resume, run: kerasnas search 'my x.yaml'")
