"""Causal networks of the search spaces: their files step by step, and what they cost."""

from typing import Any

import keras
import numpy as np
import pytest
from random_weights import randomize

from kerasnas.blocks.architecture import Architecture
from kerasnas.export.convert.program import convert
from kerasnas.export.keras_model.step import step_calibration, stepwise
from kerasnas.export.network.size import predict_bytes
from kerasnas.models.nasc import NascSettings, NascSpace, Stage
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

INPUT = (27, 12, 1)
STAGES = (
    Stage(filters=4, layers=1, strides=(2, 1)),
    Stage(filters=6, layers=2, kernel_sizes=(5, 7)),
    Stage(filters=6, layers=1, strides=(2, 2)),
)


def _wu_lee(**settings: Any) -> Architecture:
    chosen = WuLeeSettings(causal=True, blocks=(2,), **settings)
    space = WuLeeSpace(INPUT, 3, settings=chosen)
    return space.architecture({**space.references["model_a"], "stem_filters": 4})


def _nasc(recurrent_layers: int) -> Architecture:
    settings = NascSettings(
        causal=True,
        bidirectional=False,
        recurrent_layers=recurrent_layers,
        recurrent_units=3,
        stem_filters=4,
        stages=STAGES,
        frequency_filters=5,
        dense_units=4,
    )
    return NascSpace(INPUT, 3, settings=settings).reference("baseline")


NETWORKS = {
    "wu_lee": (_wu_lee(), 4),
    "wu_lee with strides": (_wu_lee(stem_strides=(3, 1)), 12),
    "nasc": (_nasc(0), 4),
    "nasc with recurrent layers": (_nasc(2), 4),
}


def _built(architecture: Architecture) -> keras.Model:
    keras.utils.set_random_seed(6)
    model = architecture.build()
    randomize(model, np.random.default_rng(3))
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_step_by_step_comes_to_the_scores_of_the_whole_clip(name: str) -> None:
    architecture, length = NETWORKS[name]
    model = _built(architecture)
    step = stepwise(model)
    assert step.inputs[0].shape[1] == length
    x = np.random.default_rng(8).normal(size=(2, *INPUT)).astype(np.float32)
    states = [np.zeros((2, *state.shape[1:]), np.float32) for state in step.inputs[1:]]
    scores = None
    for end in range(length, INPUT[0] + 1, length):
        outputs = step([x[:, end - length : end], *states])
        scores, *states = (np.asarray(output) for output in outputs)
    np.testing.assert_allclose(scores, model(x), atol=1e-5)
    frames, *before = step_calibration(step, x)
    assert len(frames) == 2 * (INPUT[0] // length)
    assert [each.shape[1:] for each in before] == [tuple(s.shape[1:]) for s in step.inputs[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wu_lee with strides", "nasc"])
def test_bytes_of_whole_clips_are_predicted_with_their_padding(name: str) -> None:
    architecture, _ = NETWORKS[name]
    model = _built(architecture)
    examples = np.random.default_rng(8).normal(size=(2, *INPUT)).astype(np.float32)
    for form in ("float16", "full_int8"):
        real = len(convert(model, form, examples).content)
        assert predict_bytes(architecture.ops, form) == pytest.approx(real, rel=0.01, abs=250)
