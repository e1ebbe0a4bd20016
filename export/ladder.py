"""The ladder of forms: the first, from best to last, that converts and passes its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .arrays import Floats
from .check.budget import counted_bytes
from .check.checks import TEST_CLIPS, FileCheck, Measured, check_file, worst
from .check.interpreter import is_stateless, load
from .check.layer_error import blame
from .check.networks import KerasNetwork, StepNetwork, TfliteNetwork
from .check.parity import Parity, clip_scores, compare
from .convert.lowering import Candidate, candidates, convert_candidate
from .errors import ExportError
from .files import file_name
from .flatbuffer.delegation import read_delegation
from .flatbuffer.facts import read_facts
from .flatbuffer.runtimes import too_new
from .forms import Format, TaskKind
from .micro.file import MicroFile, examine_micro
from .micro.sources import MicroInput
from .settings import ExportSettings
from .waveforms.file import WaveformFile, WaveformInput, examine_waveform, waveform_name

_BY_ROUNDING = frozenset({"accuracy", "agreement", "error"})


@dataclass(frozen=True)
class Reference:
    """What files are held against.

    Attributes:
        network: The Keras model.
        examples: Segments of the clips, `(clips * segments, *input shape)`.
        scores: The Keras model's, `(clips * segments, *output shape)`.
        task: What the scores are.
        labels: Of the clips, `(clips, *output shape)`; None where they are not known.
        segments: Of a clip.
        held_on: What the clips are, in words.
        waveform: What a file that takes waveforms is made of; None where none is wanted.
        micro: What C++ sources of an integer file hold besides; None where none are wanted.
    """

    network: KerasNetwork
    examples: Floats
    scores: Floats
    task: TaskKind
    labels: Floats | None = None
    segments: int = 1
    held_on: str = TEST_CLIPS
    waveform: WaveformInput | None = None
    micro: MicroInput | None = None

    @property
    def clips(self) -> int:
        """How many clips files are held against it on."""
        return len(self.examples) // self.segments

    def compare(self, scores: Floats) -> Parity:
        """Compare scores of the examples, `(clips * segments, *output shape)`."""
        return compare(scores, self.scores, self.task, self.labels, self.segments)

    def compare_clips(self, scores: Floats) -> Parity:
        """Compare scores of whole clips, `(clips, *output shape)`."""
        return compare(scores, clip_scores(self.scores, self.segments), self.task, self.labels)


@dataclass(frozen=True)
class Examined:
    """A converted file, and what was measured on it.

    Attributes:
        candidate: Its form.
        network: It, opened.
        stock_bytes: Of the stock converter's file; None where there is none.
        scores: Of the segments, `(clips * segments, *output shape)`.
        measured: Figures.
        checks: Verdicts on them, and on the waveform file.
        failures: What came of the forms that were tried before it.
        waveform: The file that takes waveforms, if one is wanted.
        micro: What came of it on TensorFlow Lite Micro, if it is to run there.
    """

    candidate: Candidate
    network: TfliteNetwork | StepNetwork
    stock_bytes: int | None
    scores: Floats
    measured: Measured
    checks: list[FileCheck]
    failures: tuple[str, ...]
    waveform: WaveformFile | None = None
    micro: MicroFile | None = None

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
        if candidate.floats and not _lost_by_rounding(candidate, made):
            continue
        path = scratch / f"{format_}_{'_'.join(map(str, candidate))}.tflite"
        progress(f"Converting to {candidate}")
        again = path.with_name(f"again_{path.name}") if settings.repeat else None
        try:
            stock = _convert(reference.network, candidate, path, scratch, settings)
            if again is not None:
                progress(f"Converting to {candidate} again")
                _convert(reference.network, candidate, again, scratch, settings)
            network = _open(path, candidate)
        except ExportError as error:
            failures.append(str(error))
            continue
        progress(f"Checking {candidate} on {reference.clips} {reference.held_on}")
        repeated = None if again is None else again.read_bytes() == path.read_bytes()
        scores = network.predict(reference.examples)
        measured = measure(network, candidate, scores, repeated, reference, settings)
        checks = check_file(file_name(format_), measured, settings)
        waveform = None
        if reference.waveform is not None:
            progress(f"Checking {candidate} on {reference.clips} waveforms")
            waveform = _with_waveform(reference, measured, path, format_, settings)
            checks += waveform.checks
        micro = None
        if reference.micro is not None and format_ == "int8":
            progress(f"Running {candidate} in TensorFlow Lite Micro")
            name, x = file_name(format_), reference.examples
            micro = examine_micro(path, name, x, scores, reference.micro, settings)
            checks += micro.checks
        tried = tuple(failures)
        made.append(
            Examined(candidate, network, stock, scores, measured, checks, tried, waveform, micro)
        )
        if worst(checks) != "failed" or settings.on_fail != "next-form":
            return made[-1]
        failures += [
            f"{candidate} was refused: {c.message}" for c in checks if c.verdict == "failed"
        ]
    if not made:
        raise ExportError("\n".join(failures))
    return min(made, key=lambda examined: examined._rank)


def _lost_by_rounding(candidate: Candidate, made: list[Examined]) -> bool:
    """Return whether the file of integers alone failed nothing but what floats may mend."""
    return any(
        {check.name for check in each.checks if check.verdict == "failed"} <= _BY_ROUNDING
        for each in made
        if each.candidate == Candidate("full_int8", candidate.recurrent)
    )


def _convert(
    network: KerasNetwork, candidate: Candidate, path: Path, scratch: Path, settings: ExportSettings
) -> int | None:
    return convert_candidate(
        network.path, candidate, path, scratch, settings, network.name, network.custom
    )


def _open(path: Path, candidate: Candidate) -> TfliteNetwork | StepNetwork:
    """Return a converted file, ready to run.

    Raises:
        ExportError: The runtime does not take it.
    """
    try:
        network = load(path)
    except ExportError as error:
        # It lies where nobody will find it.
        reason = str(error).replace(str(path), path.name)
        raise ExportError(f"{candidate}: the runtime does not take the file: {reason}") from None
    assert not isinstance(network, KerasNetwork)
    return network


def measure(
    network: TfliteNetwork | StepNetwork,
    candidate: Candidate,
    scores: Floats,
    repeated: bool | None,
    reference: Reference,
    settings: ExportSettings,
) -> Measured:
    """Measure a file.

    Args:
        network: It, opened.
        candidate: Its form.
        scores: Of the reference's examples.
        repeated: Whether another process gave the same bytes; None where none was asked.
        reference: What it is held against.
        settings: What is required; where it is missed, the layer that is to blame is looked for.
    """
    model, path = reference.network.model, network.path
    facts = read_facts(path)
    parity = reference.compare(scores)
    differs = candidate.recurrent != "step" and _differs(parity, settings)
    return Measured(
        form=candidate.form,
        facts=facts,
        counted=counted_bytes(settings.rule, model, candidate.form, facts),
        parity=parity,
        stateless=is_stateless(network, reference.examples[0], reference.examples[-1]),
        delegation=read_delegation(network.interpreter, path.read_bytes()),
        repeated=repeated,
        blame=blame(model, path, reference.examples) if differs else "",
        too_new="" if facts.runs_on(settings.runtime) else too_new(path, settings.runtime),
        held_on=reference.held_on,
    )


def _differs(parity: Parity, settings: ExportSettings) -> bool:
    """Return whether a file's scores differ from Keras's by more than the settings allow."""
    return (
        parity.largest_difference is None
        or (parity.agreement is not None and parity.agreement < settings.agreement)
        or (parity.error is not None and parity.error.share > settings.error)
        or (parity.drop_bounds is not None and parity.drop_bounds[0] > settings.accuracy_drop)
    )


def _with_waveform(
    reference: Reference, measured: Measured, path: Path, format_: Format, settings: ExportSettings
) -> WaveformFile:
    assert reference.waveform is not None
    name = waveform_name(format_)
    return examine_waveform(
        reference.waveform, path, name, measured, reference.compare_clips, settings
    )
