"""A package runs where kerasnas is not, and holds what it says and no recording."""

import hashlib
import json
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.flow.commands.export import export_run
from kerasnas.flow.commands.sharing.package import package_run
from kerasnas.flow.commands.sharing.samples import C

from ...conftest import SMALL

HEADER = """
#include <stddef.h>
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;
typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
TfLiteModel *TfLiteModelCreateFromFile(const char *);
void TfLiteModelDelete(TfLiteModel *);
TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions *);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *, int);
TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *, const TfLiteInterpreterOptions *);
void TfLiteInterpreterDelete(TfLiteInterpreter *);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter *);
int TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter *);
TfLiteTensor *TfLiteInterpreterGetInputTensor(const TfLiteInterpreter *, int);
const TfLiteTensor *TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter *, int);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter *);
size_t TfLiteTensorByteSize(const TfLiteTensor *);
TfLiteStatus TfLiteTensorCopyFromBuffer(TfLiteTensor *, const void *, size_t);
TfLiteStatus TfLiteTensorCopyToBuffer(const TfLiteTensor *, void *, size_t);
"""
"""The part of TensorFlow Lite's C API that the sample uses."""

FAKE = """
#include <string.h>
#include "tensorflow/lite/c/c_api.h"
/* A "model" of two features a frame; its scores are their sums over all frames, kept in a state. */
struct TfLiteTensor { float values[2]; size_t bytes; };
static TfLiteTensor in = {{0, 0}, 8}, before = {{9, 9}, 8}, after = {{0, 0}, 8}, out = {{0, 0}, 8};
static int something;
TfLiteModel *TfLiteModelCreateFromFile(const char *path) {
  return strcmp(path, "gone") ? (TfLiteModel *)&something : NULL;
}
void TfLiteModelDelete(TfLiteModel *model) { (void)model; }
TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void) {
  return (TfLiteInterpreterOptions *)&something;
}
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions *options) { (void)options; }
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *options, int threads) {
  (void)options; (void)threads;
}
TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *m,
                                           const TfLiteInterpreterOptions *o) {
  (void)m; (void)o;
  return (TfLiteInterpreter *)&something;
}
void TfLiteInterpreterDelete(TfLiteInterpreter *interpreter) { (void)interpreter; }
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter *interpreter) {
  (void)interpreter;
  return kTfLiteOk;
}
int TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter *interpreter) {
  (void)interpreter;
  return 2;
}
TfLiteTensor *TfLiteInterpreterGetInputTensor(const TfLiteInterpreter *interpreter, int index) {
  (void)interpreter;
  return index ? &before : &in;
}
const TfLiteTensor *TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter *i, int index) {
  (void)i;
  return index ? &after : &out;
}
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter *interpreter) {
  (void)interpreter;
  for (int i = 0; i < 2; i++) out.values[i] = after.values[i] = before.values[i] + in.values[i];
  return kTfLiteOk;
}
size_t TfLiteTensorByteSize(const TfLiteTensor *tensor) { return tensor->bytes; }
TfLiteStatus TfLiteTensorCopyFromBuffer(TfLiteTensor *tensor, const void *from, size_t bytes) {
  memcpy(tensor->values, from, bytes);
  return kTfLiteOk;
}
TfLiteStatus TfLiteTensorCopyToBuffer(const TfLiteTensor *tensor, void *to, size_t bytes) {
  memcpy(to, tensor->values, bytes);
  return kTfLiteOk;
}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with an export, also of files that take the waveform."""
    import keras

    run = tmp_path_factory.mktemp("runs") / "kitchen"
    run.mkdir()
    (run / "experiment.yaml").write_text(yaml.safe_dump(SMALL | {"name": "kitchen"}))
    keras.utils.set_random_seed(0)
    inputs = keras.Input((21, 16, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(
        keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(0.02, 1)(inputs))
    )
    keras.Model(inputs, keras.layers.Dense(3, "softmax")(pooled)).save(run / "model.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASNAS_CACHE", str(run.parent / "cache"))
        export_run(run / "model.keras", experiment=run / "experiment.yaml", waveform=True)
    return run


@pytest.fixture(scope="module")
def package(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its package."""
    return package_run(run, tmp_path_factory.mktemp("given") / "kitchen").directory


def python(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the Python sample in a process that cannot import kerasnas."""
    code = (
        "import runpy, sys; sys.modules['kerasnas'] = None; "
        f"sys.argv = {['run.py', *arguments]!r}; runpy.run_path('run.py', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=package, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_package_holds_what_is_needed_and_no_recording(package: Path) -> None:
    names = {path.name for path in package.iterdir()}
    tflite = {
        f"model_{kind}{of}.tflite" for kind in ("float16", "int8") for of in ("", "_waveform")
    }
    beside = {"README.md", "SHA256SUMS", "export.json", "features.json", "golden.json"}
    assert names == {*tflite, *beside, "golden_features.bin", "labels.txt", "run.c", "run.py"}
    lines = [line.split("  ") for line in (package / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == names - {"SHA256SUMS"}
    assert all(
        hashlib.sha256((package / name).read_bytes()).hexdigest() == sum_ for sum_, name in lines
    )
    card = (package / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["pipeline_tag"] == "audio-classification"
    assert "export/model" not in card
    assert 'Interpreter(model_path="model_' in card


@pytest.mark.slow
def test_the_python_sample_runs_without_kerasnas(package: Path, tmp_path: Path) -> None:
    done = python(package)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    golden = json.loads((package / "golden.json").read_text())
    assert all(abs(sum(scores) - 1) < 0.02 for scores in golden["scores"].values())
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    heard = python(package, "model_int8_waveform.tflite", str(tmp_path / "sound.wav"))
    assert {line.split(" ")[1] for line in heard.stdout.splitlines()} == {
        "alarm",
        "speech",
        "vacuum_cleaner",
    }
    refused = python(package, "model_int8.tflite", str(tmp_path / "sound.wav"))
    assert "takes features of shape (21, 16, 1), not a recording" in refused.stderr
    changed = shutil.copytree(package, tmp_path / "changed")
    golden["scores"]["model_int8.tflite"][0] += 0.5
    (changed / "golden.json").write_text(json.dumps(golden))
    assert "model_int8.tflite: scores differ from golden.json by 0.5" in python(changed).stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_c_sample_compiles_and_reads_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "tensorflow/lite/c").mkdir(parents=True)
    (tmp_path / "tensorflow/lite/c/c_api.h").write_text(HEADER)
    (tmp_path / "run.c").write_text(C)
    (tmp_path / "fake.c").write_text(FAKE)
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I.")
    subprocess.run(["cc", *strict, "run.c", "fake.c", "-o", "run"], cwd=tmp_path, check=True)
    np.array([[1, 2], [3, 4], [5, 6]], "<f4").tofile(tmp_path / "features.bin")
    (tmp_path / "labels.txt").write_text("dog\ncat and mouse\n")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [tmp_path / "run", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = call("model", "features.bin", "labels.txt")
    assert done.stdout == "9.000000 dog\n12.000000 cat and mouse\n"
    assert "no model: gone" in call("gone", "features.bin", "labels.txt").stderr
    assert "cannot be opened: gone.bin" in call("model", "gone.bin", "labels.txt").stderr
    (tmp_path / "features.bin").write_bytes(bytes(12))
    assert "features of another size" in call("model", "features.bin", "labels.txt").stderr


@pytest.mark.slow
def test_what_cannot_be_packed(run: Path, package: Path, tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="kitchen exists: move it away, or give another"):
        package_run(run, package)
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "export" / "model_int8.tflite").write_bytes(b"other")
    with pytest.raises(ExportError, match=r"model_int8.tflite"):
        package_run(copy)
    assert not (copy / "package").exists()
    shutil.rmtree(copy / "export")
    with pytest.raises(KerasnasError, match="copy has no exported files: run `kerasnas export"):
        package_run(copy)
    result = CliRunner().invoke(app, ["package", str(tmp_path)])
    assert result.exit_code == 2
    assert "no run directory" in " ".join(result.output.split())
