"""Figures of exported files, on screens of any width."""

import io

import pytest
from rich.console import Console

from kerasnas.export.flatbuffer.delegation import Delegation
from kerasnas.export.timing import Benchmark, Latency
from kerasnas.flow.commands.benchmark import Timed

NAMES = ["model_float16.tflite", "model_int8.tflite", "model_float16_waveform.tflite"]


def timed(*names: str) -> Timed:
    latencies = (Latency(1, 12.34, 56.78), Latency(16, 9.87, 10.11))
    delegation = Delegation(0.9, {}, 1, True)
    return Timed(
        tuple(
            Benchmark(
                f"runs/x/export/{name}", 1_234_567, latencies, 7_654_321, {}, delegation,
                "2.16.0", False, 1.23,
            )
            for name in names
        )
    )  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_word_is_broken(width: int) -> None:
    console = Console(width=width, file=io.StringIO())
    console.print(timed(*NAMES).table(width))
    text = console.file.getvalue()
    words = text.split()
    for name in NAMES:
        assert name in words
    assert words.count("1,234,567") == words.count("(56.78)") == words.count("2.16.0") == 3
    assert words.count("7,654,321") == 3
    assert "XNNPACK" in words
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
