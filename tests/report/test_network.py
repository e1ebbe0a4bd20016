"""Names of layers in the picture and the table of a network."""

from types import SimpleNamespace
from typing import Any

import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Pool, StatisticsPool, Stem
from kerasnas.report.sections.network import layers, per_second


def test_blocks_inside_a_block_are_named_after_both() -> None:
    body = (Stem(4), Pool("max"))
    names = [line[0] for line in layers(Architecture((8, 8, 1), (StatisticsPool(body),)))]
    assert names == [
        "input",
        "0.0 · stem",
        *(f"0.1 · pool, {name}" for name in ("frame_mean", "centred", "deviation", "pool")),
        "0 · statistics pool, pool",
        "0 · statistics pool, concatenate",
    ]


@pytest.mark.parametrize(
    ("features", "shown"),
    [
        ({"seconds": 0.5, "segment_frames": None}, "2.0 M"),
        ({"seconds": 9.0, "segment_frames": 50, "hop_length": 80, "sample_rate": 16000}, "4.0 M"),
    ],
)
def test_a_second_of_sound_has_its_cost(features: dict[str, Any], shown: str) -> None:
    run: Any = SimpleNamespace(settings={"features": features})
    cost: Any = SimpleNamespace(macs=1_000_000)
    assert f" A second of sound costs {shown}" in per_second(run, cost).replace("\u202f", " ")
    run.settings = {"features": {"kind": "stored_embedding"}}
    assert per_second(run, cost) == ""
