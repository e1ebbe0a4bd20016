"""A file as C++ sources for a microcontroller: a header and an array of bytes.

They need nothing but a compiler of C++11, also to be compiled on a computer. The header has what
TensorFlow Lite Micro wants to be told: the operators, by a function that adds them to a
`MicroMutableOpResolver` of any size that fits, and the size of the arena.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..errors import ExportError

ALIGNMENT = 16
"""Bytes to which the array and the arena have to be aligned."""
_A_LINE = 12  # bytes of the array on a line
_FLOATS_A_LINE = 6
# Names of the resolver's functions that do not follow from the schema's names.
_FUNCTIONS = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
Parameter = bool | int | float | str


@dataclass(frozen=True)
class MicroInput:
    """What sources hold beside the file itself.

    Attributes:
        classes: Names of the scores, in order; None where they are not known.
        parameters: Of what computes the features, by name: numbers, texts and truth values.
    """

    classes: tuple[str, ...] | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [constant_name(name) for name in self.parameters]
        for name, value in self.parameters.items():
            if not isinstance(value, Parameter) or not re.fullmatch(r"[a-zA-Z_]\w*", name):
                raise ExportError(
                    f"the parameter {name!r} of the front end is {value!r}: names of letters, "
                    "digits and _, and numbers, texts or truth values are needed"
                )
        if len(set(names)) < len(names):
            raise ExportError(f"two parameters of the front end have the same name in C++: {names}")


class MicroModel(NamedTuple):
    """A file that runs, and what was measured.

    Attributes:
        name: Of the files and of the namespace, `model_int8`.
        content: Bytes of the `.tflite` file.
        operators: Names of its operators, as in the schema, each once.
        arena_bytes: Least arena.
        example: An input, `(*input shape)`.
        scores: What the file gives for it, `(*output shape)`.
        tolerance: By how much the scores of another build may differ.
    """

    name: str
    content: bytes
    operators: tuple[str, ...]
    arena_bytes: int
    example: Floats
    scores: Floats
    tolerance: float


def resolver_functions(operators: Iterable[str]) -> list[str]:
    """Return the functions of a `MicroMutableOpResolver` that add operators: `AddConv2D`."""
    return [
        "Add" + _FUNCTIONS.get(name, name.title().replace("_", "")) for name in sorted(operators)
    ]


def constant_name(name: str) -> str:
    """Return the name of a parameter in C++: `kFrontEndHopLength` for `hop_length`."""
    return "kFrontEnd" + "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def header(model: MicroModel, given: MicroInput) -> str:
    """Return the header: declarations, sizes, operators and parameters."""
    guard = f"{model.name.upper()}_H_"
    functions = resolver_functions(model.operators)
    chain = " &&\n         ".join(f"resolver.{name}() == 0" for name in functions)
    labels = ""
    if given.classes is not None:
        labels = f"""
// Names of the scores, in order.
constexpr std::size_t kLabelCount = {len(given.classes)};
extern const char* const kLabels[kLabelCount];
"""
    parameters = "".join(_parameter(*each) for each in given.parameters.items())
    if parameters:
        parameters = f"\n// What computes the features; features.json tells more.\n{parameters}"
    return f"""// Written by kerasnas.export: {model.name}.tflite for TensorFlow Lite Micro.
//
//   alignas({ALIGNMENT}) static std::uint8_t arena[{model.name}::kArenaSize];
//   tflite::MicroMutableOpResolver<{model.name}::kOperatorCount> resolver;
//   {model.name}::AddOperators(resolver);
//   tflite::MicroInterpreter interpreter(tflite::GetModel({model.name}::kModel), resolver, arena,
//                                        {model.name}::kArenaSize);
#ifndef {guard}
#define {guard}

#include <cstddef>
#include <cstdint>

namespace {model.name} {{

constexpr std::size_t kModelSize = {len(model.content)};
extern const std::uint8_t kModel[kModelSize];

// The least arena on a computer of 64 bits; one of 32 bits needs less.
constexpr std::size_t kArenaSize = {model.arena_bytes};

// Float32, the last axis fastest.
constexpr std::size_t kInputSize = {model.example.size};  // {_shape(model.example)}
constexpr std::size_t kOutputSize = {model.scores.size};  // {_shape(model.scores)}
{labels}{parameters}
// An input and its scores, to check a build with; the linker leaves them out where they are not
// used (-fdata-sections, --gc-sections). Scores may differ by this much.
extern const float kGoldenInput[kInputSize];
extern const float kGoldenOutput[kOutputSize];
constexpr float kGoldenTolerance = {_float(model.tolerance)};

constexpr unsigned kOperatorCount = {len(functions)};

// Adds the operators of the model; whether the resolver took them.
template <typename Resolver>
bool AddOperators(Resolver& resolver) {{
  return {chain};
}}

}}  // namespace {model.name}

#endif  // {guard}
"""


def source(model: MicroModel, given: MicroInput) -> str:
    """Return the source: the array of bytes, labels, and an input with its scores."""
    labels = ""
    if given.classes is not None:
        lines = "".join(f"    {_text(name)},\n" for name in given.classes)
        labels = f"\nconst char* const kLabels[kLabelCount] = {{\n{lines}}};\n"
    return f"""// Written by kerasnas.export; see {model.name}.h.
#include "{model.name}.h"

namespace {model.name} {{

alignas({ALIGNMENT}) const std::uint8_t kModel[kModelSize] = {{
{_rows([f"0x{byte:02x}" for byte in model.content], _A_LINE)}}};
{labels}
const float kGoldenInput[kInputSize] = {{
{_rows(_floats(model.example), _FLOATS_A_LINE)}}};

const float kGoldenOutput[kOutputSize] = {{
{_rows(_floats(model.scores), _FLOATS_A_LINE)}}};

}}  // namespace {model.name}
"""


def _rows(values: Sequence[str], count: int) -> str:
    lines = (", ".join(values[i : i + count]) for i in range(0, len(values), count))
    return "".join(f"    {line},\n" for line in lines)


def _floats(values: Floats) -> list[str]:
    return [_float(value) for value in np.asarray(values, np.float32).reshape(-1).tolist()]


def _float(value: float) -> str:
    """Return a number of float32 in C++, to the last bit."""
    text = f"{float(np.float32(value)):.9g}"
    return f"{text}f" if set(text) & set(".en") else f"{text}.0f"


def _shape(values: Floats) -> str:
    return " x ".join(map(str, values.shape))


def _parameter(name: str, value: Parameter) -> str:
    if isinstance(value, bool):
        kind, text = "bool", str(value).lower()
    elif isinstance(value, int):
        kind, text = "std::int32_t" if abs(value) < 2**31 else "std::int64_t", str(value)
    elif isinstance(value, float):
        kind, text = "double", repr(value)
    else:
        return f"constexpr char {constant_name(name)}[] = {_text(value)};\n"
    return f"constexpr {kind} {constant_name(name)} = {text};\n"


def _text(text: str) -> str:
    """Return a text in C++, UTF-8, with all but plain characters in octal digits."""
    plain = re.compile(r"[ \w!#-/:-@]", re.ASCII)
    quoted = [
        chr(byte) if plain.match(chr(byte)) and chr(byte) != "?" else f"\\{byte:03o}"
        for byte in text.encode()
    ]
    return f'"{"".join(quoted)}"'
