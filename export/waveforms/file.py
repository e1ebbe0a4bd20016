"""Making and checking a file that takes waveforms, of a file that takes features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats
from ..check.checks import FileCheck, Measured, check_file, worst
from ..check.interpreter import is_stateless, latency, load
from ..check.networks import TfliteNetwork
from ..check.parity import Parity
from ..files import file_name, sha256
from ..flatbuffer.delegation import read_delegation
from ..flatbuffer.facts import read_facts
from ..flatbuffer.graph import TfliteFile
from ..forms import Format
from ..settings import ExportSettings
from .front_end import FrozenFrontEnd, WaveformFrontEnd, front_end_file
from .prepend import with_front_end

MEAN_DIFFERENCE = 0.01
"""Most that features may differ on average, in dB or natural logarithms: a thousandth of what a
clip's features spread over."""


@dataclass(frozen=True, eq=False)
class WaveformInput:
    """What a file that takes waveforms is made of and held against.

    Attributes:
        front: The front end that the features came from.
        classes: Labels of the scores.
        waveforms: Gives the test clips, each float32 `(front.samples,)`, in order; called once for
            each file.
        golden: A waveform of such a shape.
        features: Its features as the network was trained with, `(segments, frames, bins, 1)`.
    """

    front: WaveformFrontEnd | FrozenFrontEnd
    classes: Sequence[str]
    waveforms: Callable[[], Iterable[Floats]]
    golden: Floats
    features: Floats


@dataclass(frozen=True)
class WaveformFile:
    """A file that takes waveforms.

    Attributes:
        content: Its bytes.
        entry: What the report says of it.
        checks: Verdicts on it.
    """

    content: bytes
    entry: dict[str, Any]
    checks: list[FileCheck]


def waveform_name(format_: Format) -> str:
    """Return the name of the file that takes waveforms."""
    return file_name(f"{format_}_waveform")


def examine_waveform(
    given: WaveformInput,
    classifier: Path,
    name: str,
    measured: Measured,
    compare: Callable[[Floats], Parity],
    settings: ExportSettings,
) -> WaveformFile:
    """Write a front end before a classifier, beside it, and check the whole file.

    Args:
        given: The front end, and what to check it on.
        classifier: A file that takes features.
        name: Of the whole file.
        measured: What was measured on the classifier.
        compare: Compares scores of the test clips with the Keras model's.
        settings: What is required; the budget is for the whole file, but under rules that leave
            the front end out.
    """
    stem = name.removesuffix(".tflite")
    content = with_front_end(classifier.read_bytes(), given.front, given.classes, stem)
    path = classifier.with_name(f"{classifier.stem}_waveform.tflite")
    path.write_bytes(content)
    network = load(path)
    assert isinstance(network, TfliteNetwork)
    facts = read_facts(path)
    parity = compare(np.concatenate([network.predict(x[None]) for x in given.waveforms()]))
    whole = Measured(
        form=f"{measured.form} behind a float32 front end",
        facts=facts,
        counted=facts.bytes if settings.rule == "file" else measured.counted,
        parity=parity,
        stateless=is_stateless(network, given.golden, given.golden),
        delegation=read_delegation(network.interpreter, content),
        held_on=measured.held_on,
    )
    difference = _difference(given)
    checks = [*check_file(name, whole, settings), _check_features(name, difference)]
    median, high = latency(network.interpreter, settings.latency_runs)
    entry = {
        "file": name,
        "sha256": sha256(content),
        "sample_rate": given.front.sample_rate,
        "samples": given.front.samples,
        "bytes": facts.bytes,
        "classifier_bytes": measured.facts.bytes,
        "front_end_bytes": facts.bytes - measured.facts.bytes,
        "counted_bytes": whole.counted,
        "verdict": worst(checks),
        "features_difference": difference,
        "operators": facts.operators,
        "delegated": whole.delegation.to_json(),
        "minimum_runtime": facts.minimum_runtime,
        "mediapipe": len(TfliteFile(content).graphs) == 1 and not facts.keeps_state,
        "keeps_state": facts.keeps_state,
        **parity.to_json(),
        "latency_ms": {"median": median, "p95": high, "threads": 1},
    }
    return WaveformFile(content, entry, checks)


def _difference(given: WaveformInput) -> float:
    """Mean difference of the golden waveform's features, computed by the front end's operators."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=front_end_file(given.front), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given.golden)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]
    return float(np.abs(np.stack(outputs)[..., None] - given.features).mean())


def _check_features(name: str, difference: float) -> FileCheck:
    passed = difference <= MEAN_DIFFERENCE
    return FileCheck(
        "features",
        name,
        "passed" if passed else "failed",
        difference,
        MEAN_DIFFERENCE,
        f"features that {name} computes of the golden waveform differ by {difference:.2g} on "
        f"average from those of the training, at most {MEAN_DIFFERENCE:g} is allowed",
    )
