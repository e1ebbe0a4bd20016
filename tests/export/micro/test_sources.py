"""C++ sources of a file: what they say, held against a program that a compiler makes of them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kerasnas.export import ExportError
from kerasnas.export.micro.sources import (
    MicroInput,
    MicroModel,
    header,
    resolver_functions,
    source,
)

LABELS = ("rain", 'dog "wet" \\ 100 %', "Vögel", "what??!")
PARAMETERS = {"sample_rate": 16000, "fmin": 0.1, "log": "db", "center": True, "top_db": 80.0}
MAIN = r"""
#include <cstdio>
#include "model_int8.h"

struct Resolver {
  int added = 0;
  int AddConv2D() { ++added; return 0; }
  int AddFullyConnected() { ++added; return 0; }
  int AddLogistic() { ++added; return 0; }
};

int main() {
  using namespace model_int8;
  Resolver resolver;
  std::printf("%d %u\n", AddOperators(resolver) ? resolver.added : -1, kOperatorCount);
  std::printf("%zu\n", reinterpret_cast<std::size_t>(kModel) % 16);
  for (std::size_t i = 0; i < kModelSize; ++i) std::printf("%02x", kModel[i]);
  std::printf("\n%zu\n", kArenaSize);
  for (std::size_t i = 0; i < kInputSize; ++i) std::printf("%a ", kGoldenInput[i]);
  std::printf("\n");
  for (std::size_t i = 0; i < kOutputSize; ++i) std::printf("%a ", kGoldenOutput[i]);
  std::printf("\n%a\n", kGoldenTolerance);
  for (std::size_t i = 0; i < kLabelCount; ++i) std::printf("%s\n", kLabels[i]);
  std::printf("%d %.17g %s %d %.17g\n", int(kFrontEndSampleRate), kFrontEndFmin, kFrontEndLog,
              int(kFrontEndCenter), kFrontEndTopDb);
}
"""


def _model() -> MicroModel:
    rng = np.random.default_rng(0)
    return MicroModel(
        "model_int8",
        bytes(range(256)) * 2,
        ("LOGISTIC", "CONV_2D", "FULLY_CONNECTED"),
        12_352,
        np.append(rng.normal(size=5), [0, -3, 1e-20]).astype(np.float32).reshape(2, 4),
        np.array([0.25, 0.125, 0.1, 1], np.float32),
        0.0625,
    )


def test_a_compiler_takes_the_sources_and_finds_all_in_them(tmp_path: Path):
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        pytest.skip("no C++ compiler here")
    model, given = _model(), MicroInput(LABELS, PARAMETERS)
    (tmp_path / "model_int8.h").write_text(header(model, given), encoding="utf-8")
    (tmp_path / "model_int8.cc").write_text(source(model, given), encoding="utf-8")
    (tmp_path / "main.cc").write_text(MAIN)
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-O0"]
    command = [compiler, *flags, "main.cc", "model_int8.cc", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    ran = subprocess.run([tmp_path / "program"], capture_output=True, check=True, timeout=60)
    lines = ran.stdout.decode("utf-8").splitlines()
    assert lines[:2] == ["3 3", "0"]
    assert bytes.fromhex(lines[2]) == model.content
    assert lines[3] == "12352"
    for line, expected in zip(lines[4:6], (model.example, model.scores), strict=True):
        found = np.array([float.fromhex(value) for value in line.split()], np.float32)
        np.testing.assert_array_equal(found, expected.reshape(-1))
    assert float.fromhex(lines[6]) == 0.0625
    assert lines[7:11] == list(LABELS)
    assert lines[11] == "16000 0.10000000000000001 db 1 80"


def test_sources_without_labels_and_parameters_name_neither():
    text = header(_model(), MicroInput()) + source(_model(), MicroInput())
    assert "kLabel" not in text
    assert "kFrontEnd" not in text


def test_operators_are_added_by_the_resolvers_own_names():
    assert resolver_functions(
        ["WHILE", "CONV_2D", "MAX_POOL_2D", "PADV2", "BATCH_MATMUL", "DYNAMIC_UPDATE_SLICE"]
    ) == [
        "AddBatchMatMul",
        "AddConv2D",
        "AddDynamicUpdateSlice",
        "AddMaxPool2D",
        "AddPadV2",
        "AddWhile",
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n fft": 3}, r"parameter 'n fft' of the front end is 3: names of letters"),
        ({"n_fft": [3]}, r"parameter 'n_fft' of the front end is \[3\]: .* truth values"),
        ({"n_fft": 1, "nFft": 2}, "two parameters of the front end have the same name in C"),
    ],
)
def test_parameters_that_are_no_constants_are_refused(parameters: dict, message: str):
    with pytest.raises(ExportError, match=message):
        MicroInput(None, parameters)
