"""Front ends inside files, against NumPy's Fourier transform; their metadata, read by hand."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import encode, packer
from flatbuffers.table import Table

from kerasnas.export import ExportError, WaveformFrontEnd, with_front_end
from kerasnas.export.flatbuffer.facts import read_facts
from kerasnas.export.flatbuffer.graph import TfliteFile
from kerasnas.export.waveforms.front_end import decibels, front_end_file
from kerasnas.export.waveforms.writer import FloatWriter

CLASSES = ("dog", "rain", "mötley crew")
SIZE, BINS = 64, 11


def _bank() -> np.ndarray:
    """Overlapping triangles, two of them empty."""
    centres = np.linspace(2, 30, BINS)[:, None]
    bank = np.maximum(0, 1 - np.abs(np.arange(SIZE // 2 + 1) - centres) / 3)
    bank[4:6] = 0
    return bank.astype(np.float32)


FRONT = WaveformFrontEnd(
    sample_rate=8000,
    samples=1000,
    window=np.hanning(SIZE).astype(np.float32),
    hop_length=24,
    center=True,
    power=2,
    filters=_bank(),
    amin=1e-6,
    scale=decibels(2),
    ref=1.0,
    top=None,
    segment_frames=42,
    segment_hop=42,
    segments=1,
)
CASES = {
    "as it is": {},
    "not centred, magnitudes": {"center": False, "power": 1, "segment_frames": 40},
    "natural logarithm": {"scale": 1.0},
    "the largest is 0 dB": {"ref": "max", "top": 30.0},
    "a reference, values far below the largest raised": {"ref": 0.5, "top": 30.0},
    "hop without a common factor": {"hop_length": 25, "segment_frames": 41},
    "hop longer than a transform": {"hop_length": 100, "segment_frames": 11},
    "segments that overlap": {"segment_frames": 20, "segment_hop": 10, "segments": 3},
    "frames of silence at the end": {"segment_frames": 20, "segment_hop": 20, "segments": 3},
    "coefficients of the logarithms": {
        "projection": np.cos(np.outer(np.arange(4), np.arange(BINS) + 0.5) * np.pi / BINS).astype(
            np.float32
        ),
    },
    "the bank behind the logarithm": {"filters": None, "projection": _bank(), "top": 30.0},
    "ends before a whole piece": {"samples": 1003, "center": False, "segment_frames": 40},
}


def _waveform(samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tone = np.sin(np.arange(samples) * rng.uniform(0.1, 1))
    return (rng.normal(0, 0.01, samples) + tone * np.linspace(0, 1, samples)).astype(np.float32)


def _expected(front: WaveformFrontEnd, x: np.ndarray) -> np.ndarray:
    """Segments, written down from the definition in float64."""
    if front.center:
        x = np.pad(x, SIZE // 2)
    starts = range(0, len(x) - SIZE + 1, front.hop_length)
    frames = np.array([x[start : start + SIZE] * front.window for start in starts], np.float64)
    spectrum = np.abs(np.fft.rfft(frames)) ** front.power
    if front.filters is not None:
        spectrum = spectrum @ front.filters.T.astype(np.float64)
    last = front.segment_hop * (front.segments - 1) + front.segment_frames
    spectrum = np.pad(spectrum, ((0, max(0, last - len(spectrum))), (0, 0)))
    floored = np.maximum(spectrum, front.amin)
    reference = floored.max() if front.ref == "max" else front.ref
    values = front.scale * (np.log(floored) - np.log(reference))
    if front.top is not None:
        values = np.maximum(values, values.max() - front.top)
    if front.projection is not None:
        values = values @ front.projection.T.astype(np.float64)
    places = [front.segment_hop * number for number in range(front.segments)]
    return np.array([values[place : place + front.segment_frames] for place in places])


def _run(content: bytes, *inputs: np.ndarray) -> list[list[np.ndarray]]:
    """All outputs for each input."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    results = []
    for values in inputs:
        interpreter.set_tensor(source["index"], values.reshape(source["shape"]))
        interpreter.invoke()
        sinks = interpreter.get_output_details()
        results.append([interpreter.get_tensor(sink["index"]) for sink in sinks])
    return results


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_operators_compute_what_the_definition_says(changes: dict):
    front = replace(FRONT, **changes)
    x = _waveform(front.samples)
    (found,) = _run(front_end_file(front), x)
    np.testing.assert_allclose(np.array(found), _expected(front, x), atol=2e-3)


def test_silence_gives_finite_features():
    (found,) = _run(front_end_file(replace(FRONT, ref="max", top=80.0)), np.zeros(1000, np.float32))
    np.testing.assert_array_equal(found[0], 0)  # all values are the largest


def _classifier(frames: int) -> bytes:
    """A dense layer on all features, as a file such as an export writes."""
    file = TfliteFile()
    writer = FloatWriter(file.main)
    features = file.main.tensor((1, frames, BINS, 1), "float32")
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.001, (len(CLASSES), frames * BINS)).astype(np.float32)
    logits = writer.dense(writer.reshape(features, (1, frames * BINS)), weights)
    scores = writer.unary("LOGISTIC", logits)
    file.main.t.inputs, file.main.t.outputs = [features.place], [scores.place]
    return file.content()


@pytest.mark.parametrize("name", ["as it is", "segments that overlap"])
def test_a_waveform_file_scores_as_its_two_parts_do(name: str, tmp_path: Path):
    front = replace(FRONT, **CASES[name])
    classifier = _classifier(front.segment_frames)
    whole = with_front_end(classifier, front, CLASSES)
    waves = [_waveform(1000, seed) for seed in (3, 4, 3)]
    found = np.array(_run(whole, *waves))[:, 0]
    for scores, wave in zip(found, waves, strict=True):
        segments = _run(front_end_file(front), wave)[0]
        expected = np.mean(_run(classifier, *segments), axis=0)[0]
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert found.shape == (3, 1, 3)
    assert np.abs(found[0] - found[1]).max() > 1e-3, "other waveforms have other scores"
    np.testing.assert_array_equal(found[0], found[2])
    assert whole == with_front_end(classifier, front, CLASSES), "the same bytes every time"
    (tmp_path / "whole.tflite").write_bytes(whole)
    facts = read_facts(tmp_path / "whole.tflite")
    assert facts.foreign_operators == ()
    assert facts.minimum_runtime == "2.5.0"
    assert facts.operators["LOGISTIC:1"] == front.segments
    constants = 4 * BINS * front.segment_frames * len(CLASSES)
    assert len(whole) < constants + 12_000, "the classifier's weights are there once"


class _Field(Table):
    """A table of a flatbuffer whose fields are known by number."""

    def offset(self, number: int) -> int:
        found = self.Offset(4 + 2 * number)
        assert found, f"field {number} is there"
        return found + self.Pos

    def table(self, number: int) -> "_Field":
        return _Field(self.Bytes, self.Indirect(self.offset(number)))

    def first(self, number: int) -> "_Field":
        start = self.Vector(self.offset(number) - self.Pos)
        return _Field(self.Bytes, self.Indirect(start))

    def text(self, number: int) -> bytes:
        return self.String(self.offset(number))

    def number(self, number: int, kind: packer.struct.Struct) -> int:
        return encode.Get(kind, self.Bytes, self.offset(number))


def test_metadata_tell_rate_and_labels(tmp_path: Path):
    """Fields by their numbers in tflite-support's `metadata_schema.fbs`."""
    path = tmp_path / "whole.tflite"
    path.write_bytes(with_front_end(_classifier(42), FRONT, CLASSES, "barks"))
    model = TfliteFile(path.read_bytes()).model
    (place,) = [e.buffer for e in model.metadata if e.name == b"TFLITE_METADATA"]
    data = bytes(bytearray(model.buffers[place].data))
    assert data[4:8] == b"M001"
    root = _Field(data, encode.Get(packer.uoffset, data, 0))
    assert root.text(0) == b"barks"
    graph = root.first(3)
    content = graph.first(2).table(3)
    assert content.number(0, packer.uint8) == 4  # ContentProperties.AudioProperties
    audio = content.table(1)
    assert [audio.number(field, packer.uint32) for field in (0, 1)] == [8000, 1]
    labels = graph.first(3).first(6)
    assert labels.number(2, packer.int8) == 2  # AssociatedFileType.TENSOR_AXIS_LABELS
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [labels.text(0).decode()]
        assert archive.read("labels.txt").decode().splitlines() == list(CLASSES)


def test_what_cannot_be_joined_is_refused():
    with pytest.raises(ExportError, match=r"400 samples: .* n_fft: 512 with window_length: 400"):
        replace(FRONT, window=np.ones(400, np.float32))
    with pytest.raises(ExportError, match=r"\(1, 20, 11, 1\) and 3 labels .* \(1, 42, 11, 1\)"):
        with_front_end(_classifier(42), replace(FRONT, segment_frames=20), CLASSES)
    with pytest.raises(ExportError, match=r"2 labels .* to \(1, 3\)"):
        with_front_end(_classifier(42), FRONT, CLASSES[:2])
    with pytest.raises(ExportError, match="one float32 input"):
        with_front_end(front_end_file(replace(FRONT, segments=2)), FRONT, CLASSES)
