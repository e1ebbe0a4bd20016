import json
from dataclasses import replace

import numpy as np
import pytest

from kerasnas.blocks.convolutional import Dense, GlobalAveragePool, Stem
from kerasnas.errors import KerasnasError
from kerasnas.supernet.space import Choice, SupernetSpace

from .spaces import INPUT, choice, convolutional_space, recurrent_space, tiny_space


def test_a_path_is_a_plain_architecture():
    space = convolutional_space()
    blocks = space.architecture((0, 2, 1)).blocks
    assert (space.layers, space.options) == (3, 3)
    assert [blocks[i] for i in (2, 3, 4)] == [
        space.blocks[2].options[0],
        space.blocks[3].options[2],
        space.blocks[4].options[1],
    ]
    assert blocks[5:] == space.blocks[5:]


@pytest.mark.parametrize("space", [convolutional_space(), recurrent_space()])
def test_a_space_survives_json(space):
    assert SupernetSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


@pytest.mark.parametrize("space", [convolutional_space(), recurrent_space()])
def test_segments_hold_the_operations_of_every_path(space):
    shared = {op.name: op for segment in space.segments for ops in segment.options for op in ops}
    for path in (0,) * space.layers, (2,) * space.layers, (1, 2, 0)[: space.layers]:
        for op in space.architecture(path).ops:
            if op.kind != "input":
                again = shared[space.shared_name(op.name, path)]
                assert again[3:] == op[3:]


def test_every_option_is_drawn_once_a_step_in_every_layer():
    space, rng = convolutional_space(), np.random.default_rng(0)
    steps = [space.fair_paths(rng) for _ in range(200)]
    for paths in steps:
        assert paths.shape == (3, 3)
        assert (np.sort(paths, axis=0) == np.arange(3)[:, None]).all()
    # Layers are drawn independently: all pairs of options of two layers meet, equally often in
    # expectation (200 times 3 paths over 9 pairs: 67 each; 40 is four deviations away).
    pairs = np.concatenate(steps)[:, :2]
    counts = [((pairs == (a, b)).all(axis=1)).sum() for a in range(3) for b in range(3)]
    assert min(counts) > 40


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ((0, 1), "2 entries.*'small' has 3 choices"),
        ((0, 1, 2, 0), "4 entries.*3 choices"),
        ((0, 3, 0), "entry 1.*3.*integers 0 to 2"),
        ((-1, 0, 0), "entry 0.*-1.*integers 0 to 2"),
        ((0, 0, 1.5), "entry 2.*1.5.*integers 0 to 2"),
    ],
)
def test_paths_that_are_none_are_refused(path, message):
    with pytest.raises(KerasnasError, match=message):
        convolutional_space().architecture(path)


def test_paths_may_be_arrays():
    assert convolutional_space().path(np.array([2, 0, 1], np.int8)) == (2, 0, 1)


def test_options_of_different_shapes_are_refused():
    mixed = Choice((*choice(4, "time").options, *choice(5, "time").options[:1]))
    with pytest.raises(
        KerasnasError, match=r"block 0 .*'odd'.*0 makes \(8, 6, 4\).*3 makes \(8, 6, 5\).*filters"
    ):
        SupernetSpace("odd", INPUT, (mixed,))


def test_choices_of_different_numbers_are_refused():
    two = Choice(choice(4, "time").options[:2])
    with pytest.raises(KerasnasError, match="block 0 has 3, block 1 has 2"):
        SupernetSpace("uneven", INPUT, (choice(4, "time"), two))
    with pytest.raises(KerasnasError, match="it has no choice"):
        SupernetSpace("fixed", INPUT, (Stem(3), GlobalAveragePool(), Dense(2, "softmax")))
    with pytest.raises(KerasnasError, match="block 0 has 0"):
        SupernetSpace("empty", INPUT, (Choice(()),))


def test_spaces_that_differ_are_told_apart_in_words():
    space = convolutional_space()
    wider = replace(space, blocks=(*space.blocks[:-1], Dense(4, "softmax")))
    assert str(space).startswith("small (3 choices of 3, input 8×6×1, ")
    assert str(space) != str(wider)


def test_a_causal_space_makes_causal_networks():
    space = replace(tiny_space(), causal=True)
    assert SupernetSpace.from_json(json.loads(json.dumps(space.to_json()))) == space
    path = (1,) * space.layers
    network = space.architecture(path)
    assert network.causal
    assert any(op.kind == "zero_padding2d" for op in network.ops)
    held = {op.name for segment in space.segments for ops in segment.options for op in ops}
    read = {space.shared_name(op.name, path) for op in network.ops if op.kind != "input"}
    assert read <= held
