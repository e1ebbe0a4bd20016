"""Names of layers in the picture and the table of a network."""

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Pool, StatisticsPool, Stem
from kerasnas.report.sections.network import layers


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
