"""The ladder of forms: the first, from best to last, that converts and passes its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .budget import counted_bytes
from .check.checks import Check, Measured, Task, check_file, clip_scores, compare, worst
from .check.interpreter import KerasNetwork, StepNetwork, TfliteNetwork, is_stateless, load
from .check.layer_error import blame
from .convert.lowering import Candidate, candidates, convert_candidate
from .errors import ExportError
from .flatbuffer.delegation import read_delegation
from .flatbuffer.facts import read_facts
from .flatbuffer.runtimes import too_new
from .settings import ExportSettings, Format
from .waveforms.file import WaveformFile, WaveformInput, examine_waveform, waveform_name


@dataclass(frozen=True)
class Reference:
    """What files are held against.

    Attributes:
        network: The Keras model.
        examples: Segments of the test clips, `(clips * segments, *input shape)`.
        scores: The Keras model's, `(clips * segments, classes)`.
        labels: Of the clips, `(clips, classes)`.
        task: How decisions are made.
        waveform: What a file that takes waveforms is made of; None where none is wanted.
    """

    network: KerasNetwork
    examples: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.float32]
    task: Task
    waveform: WaveformInput | None = None


@dataclass(frozen=True)
class Examined:
    """A converted file, and what was measured on it.

    Attributes:
        candidate: Its form.
        network: It, opened.
        stock_bytes: Of the stock converter's file; None where there is none.
        scores: Of the test segments, `(clips * segments, classes)`.
        measured: Figures.
        checks: Verdicts on them, and on the waveform file.
        failures: What came of the forms that were tried before it.
        waveform: The file that takes waveforms, if one is wanted.
    """

    candidate: Candidate
    network: TfliteNetwork | StepNetwork
    stock_bytes: int | None
    scores: NDArray[np.float32]
    measured: Measured
    checks: list[Check]
    failures: tuple[str, ...]
    waveform: WaveformFile | None = None

    @property
    def _rank(self) -> tuple[int, int]:
        failed = sum(check.verdict == "failed" for check in self.checks)
        return failed, self.measured.counted


def climb_down(
    reference: Reference,
    format_: Format,
    scratch: Path,
    settings: ExportSettings,
    progress: Callable[[str], None],
) -> Examined:
    """Convert a network in the best form that the converter survives and that passes its checks.

    Args:
        reference: What to convert, and what the file is held against.
        format_: The file's format.
        scratch: A directory, with the calibration clips for an integer file.
        settings: How to treat recurrent layers and failed checks; what is required; limits.
        progress: Called with a line before each slow step.

    Returns:
        The first form without a failed check; where none is, that with the fewest, and of those
        the smallest. With `on_fail` other than `next-form`, the first that converts.

    Raises:
        ExportError: No form converts.
    """
    made: list[Examined] = []
    failures: list[str] = []
    for candidate in candidates(reference.network.model, format_, settings):
        path = scratch / f"{format_}_{candidate.form}_{candidate.recurrent}.tflite"
        progress(f"Converting to {candidate}")
        again = path.with_name(f"again_{path.name}") if settings.repeat else None
        try:
            stock = convert_candidate(reference.network.path, candidate, path, scratch, settings)
            if again is not None:
                progress(f"Converting to {candidate} again")
                convert_candidate(reference.network.path, candidate, again, scratch, settings)
            network = _opened(path, candidate)
        except ExportError as error:
            failures.append(str(error))
            continue
        progress(f"Checking {candidate} on {len(reference.labels)} clips")
        repeated = None if again is None else again.read_bytes() == path.read_bytes()
        scores = network.predict(reference.examples)
        measured = _measure(network, candidate, scores, repeated, reference, settings)
        checks = check_file(f"model_{format_}.tflite", measured, settings)
        waveform = None
        if reference.waveform is not None:
            progress(f"Checking {candidate} on {len(reference.labels)} waveforms")
            waveform = _with_waveform(reference, measured, path, format_, settings)
            checks += waveform.checks
        tried = tuple(failures)
        made.append(Examined(candidate, network, stock, scores, measured, checks, tried, waveform))
        if worst(checks) != "failed" or settings.on_fail != "next-form":
            return made[-1]
        failures += [
            f"{candidate} was refused: {c.message}" for c in checks if c.verdict == "failed"
        ]
    if not made:
        raise ExportError("\n".join(failures))
    return min(made, key=lambda examined: examined._rank)


def _opened(path: Path, candidate: Candidate) -> TfliteNetwork | StepNetwork:
    """A converted file, ready to run.

    Raises:
        ExportError: The runtime does not take it.
    """
    try:
        network = load(path)
    except ExportError as error:
        raise ExportError(f"{candidate}: the runtime does not take the file: {error}") from None
    assert not isinstance(network, KerasNetwork)
    return network


def _measure(
    network: TfliteNetwork | StepNetwork,
    candidate: Candidate,
    scores: NDArray[np.float32],
    repeated: bool | None,
    reference: Reference,
    settings: ExportSettings,
) -> Measured:
    model, path = reference.network.model, network.path
    facts = read_facts(path)
    parity = compare(scores, reference.scores, reference.labels, reference.task)
    differs = candidate.recurrent != "step" and (
        parity.largest_difference is None
        or parity.agreement < settings.agreement
        or parity.drop_bounds[0] > settings.accuracy_drop
    )
    return Measured(
        form=candidate.form,
        facts=facts,
        counted=counted_bytes(settings.rule, model, candidate.form, facts.bytes),
        parity=parity,
        stateless=is_stateless(network, reference.examples[0], reference.examples[-1]),
        delegation=read_delegation(network.interpreter, path.read_bytes()),
        repeated=repeated,
        blame=blame(model, path, reference.examples) if differs else "",
        too_new="" if facts.runs_on(settings.runtime) else too_new(path, settings.runtime),
    )


def _with_waveform(
    reference: Reference, measured: Measured, path: Path, format_: Format, settings: ExportSettings
) -> WaveformFile:
    assert reference.waveform is not None
    segments = len(reference.scores) // len(reference.labels)
    return examine_waveform(
        reference.waveform,
        path,
        waveform_name(format_),
        measured,
        lambda scores: compare(
            scores,
            clip_scores(reference.scores, segments),
            reference.labels,
            reference.task,
        ),
        settings,
    )
