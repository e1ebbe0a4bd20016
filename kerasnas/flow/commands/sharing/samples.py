"""The programs in a package: how its files are run in Python and in C, without kerasnas."""

PYTHON = '''\
"""Run the files of this folder, and hold their scores against those of the machine that made them.

    pip install ai-edge-litert numpy
    python run.py                             # every file, on the made-up sound of features.json
    python run.py model_float16_waveform.tflite sound.wav    # a file that takes the waveform

Files without "waveform" in their names take features: compute them as features.json says.
"""

import base64
import json
import sys
import wave
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

HERE = Path(__file__).parent
LABELS = (HERE / "labels.txt").read_text(encoding="utf-8").splitlines()
FEATURES = json.loads((HERE / "features.json").read_text(encoding="utf-8"))
GOLDEN = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))


def run(file, example):
    """Return the scores of one example: features (frames, bins, channels), or samples."""
    interpreter = Interpreter(model_path=str(HERE / file))
    interpreter.allocate_tensors()
    first, *states = interpreter.get_input_details()
    scores, *after = interpreter.get_output_details()
    # A file with states takes a frame at a time; its states begin with zeros.
    values = [np.zeros(state["shape"], state["dtype"]) for state in states]
    for part in example if states else [example]:
        interpreter.set_tensor(first["index"], part.reshape(first["shape"]).astype(np.float32))
        for state, value in zip(states, values):
            interpreter.set_tensor(state["index"], value)
        interpreter.invoke()
        values = [interpreter.get_tensor(each["index"]) for each in after]
    return interpreter.get_tensor(scores["index"])[0]


def decode(stored):
    """Return an array of features.json."""
    kind = np.dtype(stored["dtype"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(stored["base64"]), kind).reshape(stored["shape"])


def read(path, file):
    """Return the samples of a WAV file, cut or filled up with zeros to what a file takes."""
    interpreter = Interpreter(model_path=str(HERE / file))
    shape, rate = interpreter.get_input_details()[0]["shape"], FEATURES["front_end"]["sample_rate"]
    if len(shape) != 1:
        sys.exit(f"{file} takes features of shape {tuple(shape[1:].tolist())}, not a recording")
    with wave.open(str(path)) as sound:
        if (sound.getframerate(), sound.getsampwidth()) != (rate, 2):
            sys.exit(f"{path}: convert it to 16 bits at {rate} Hz")
        samples = np.frombuffer(sound.readframes(shape[0]), "<i2").astype(np.float32) / 32768
        samples = samples.reshape(-1, sound.getnchannels()).mean(axis=1)
    return np.pad(samples, (0, shape[0] - len(samples)))


def main():
    """Run one file on a recording, or all on the made-up sound."""
    if len(sys.argv) == 3:
        scores = run(sys.argv[1], read(sys.argv[2], sys.argv[1]))
        for index in np.argsort(-scores)[:3]:
            print(f"{scores[index]:.3f} {LABELS[index]}")
        return
    for file, known in GOLDEN["scores"].items():
        taken = FEATURES["golden"][GOLDEN["inputs"][file]]
        example = decode(taken).astype(np.float32)
        if GOLDEN["inputs"][file] == "waveform":
            example = example[:, 0] / 32768
        else:
            example = example[0, ..., : GOLDEN["shape"][-1]]
        scores = run(file, example)
        difference = np.abs(scores - np.array(known)).max()
        print(f"{file}: {LABELS[scores.argmax()]} ({scores.max():.3f}), off by {difference:.4f}")
        if not difference < GOLDEN["tolerance"]:
            sys.exit(f"{file}: scores differ from golden.json by {difference:.4f}")


if __name__ == "__main__":
    main()
'''

C = """\
/* Run one file of this folder on features, by the C API of TensorFlow Lite.

     cc -std=c99 -Wall run.c -I INCLUDE -L LIB -ltensorflowlite_c -o run
     ./run model_int8.tflite golden_features.bin labels.txt

   INCLUDE holds tensorflow/lite/c/c_api.h. golden_features.bin holds the features of the made-up
   sound in features.json: float32, little-endian, frames, then bins, then channels. Its scores by
   every file are in golden.json. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/c/c_api.h"

static void fail(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\\n", what, which);
  exit(1);
}

static void *allocate(size_t size) {
  void *memory = calloc(size ? size : 1, 1);
  if (!memory) fail("no memory", "calloc");
  return memory;
}

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot be opened", path);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *content = allocate(*size + 1);
  if (fread(content, 1, *size, file) != *size) fail("cannot be read", path);
  fclose(file);
  return content;
}

int main(int count, char **arguments) {
  if (count != 4) fail("usage", "run MODEL FEATURES LABELS");
  size_t size, text_size;
  char *features = read_file(arguments[2], &size);
  char *labels = read_file(arguments[3], &text_size);

  TfLiteModel *model = TfLiteModelCreateFromFile(arguments[1]);
  if (!model) fail("no model", arguments[1]);
  TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
  TfLiteInterpreterOptionsSetNumThreads(options, 1);
  TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(model, options);
  if (!interpreter || TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk)
    fail("cannot be run", arguments[1]);

  /* A file with states, which are its other inputs and outputs, takes a frame at a time. */
  TfLiteTensor *input = TfLiteInterpreterGetInputTensor(interpreter, 0);
  size_t part = TfLiteTensorByteSize(input);
  int states = TfLiteInterpreterGetInputTensorCount(interpreter) - 1;
  if (part == 0 || size == 0 || size % part || (!states && size != part))
    fail("features of another size than the model takes", arguments[2]);
  for (int state = 1; state <= states; state++) {
    TfLiteTensor *before = TfLiteInterpreterGetInputTensor(interpreter, state);
    void *zeros = allocate(TfLiteTensorByteSize(before));
    TfLiteTensorCopyFromBuffer(before, zeros, TfLiteTensorByteSize(before));
    free(zeros);
  }
  for (size_t start = 0; start < size; start += part) {
    TfLiteTensorCopyFromBuffer(input, features + start, part);
    if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) fail("cannot be run", arguments[1]);
    for (int state = 1; state <= states; state++) {
      const TfLiteTensor *after = TfLiteInterpreterGetOutputTensor(interpreter, state);
      size_t bytes = TfLiteTensorByteSize(after);
      void *value = allocate(bytes);
      TfLiteTensorCopyToBuffer(after, value, bytes);
      TfLiteTensorCopyFromBuffer(TfLiteInterpreterGetInputTensor(interpreter, state), value, bytes);
      free(value);
    }
  }

  const TfLiteTensor *output = TfLiteInterpreterGetOutputTensor(interpreter, 0);
  size_t bytes = TfLiteTensorByteSize(output);
  float *scores = allocate(bytes);
  TfLiteTensorCopyToBuffer(output, scores, bytes);
  char *label = strtok(labels, "\\n");
  for (size_t index = 0; index < bytes / sizeof(float); index++) {
    printf("%.6f %s\\n", (double)scores[index], label ? label : "?");
    label = strtok(NULL, "\\n");
  }

  TfLiteInterpreterDelete(interpreter);
  TfLiteInterpreterOptionsDelete(options);
  TfLiteModelDelete(model);
  free(scores);
  free(features);
  free(labels);
  return 0;
}
"""
