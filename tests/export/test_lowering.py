from pathlib import Path
from typing import Any

import pytest

from kerasnas.export import ExportError, ExportSettings, lowering
from kerasnas.export.child import ChildDied
from kerasnas.export.interpreter import KerasNetwork
from kerasnas.export.lowering import candidates, lower_first


def _network(frames: int, recurrent: bool = True) -> KerasNetwork:
    import keras
    from keras import layers

    inputs = keras.Input((frames, 4))
    layer = layers.Bidirectional(layers.GRU(2)) if recurrent else layers.GlobalMaxPooling1D()
    model = keras.Model(inputs, layers.Dense(2)(layer(inputs)))
    return KerasNetwork(Path("model.keras"), model)


@pytest.mark.parametrize(
    ("format_", "recurrent", "frames", "expected"),
    [
        ("float16", "auto", 60, ["float16 with while"]),
        ("float16", "auto", 20, ["float16 with while", "float16 with unroll"]),
        ("float16", "int8_loop", 60, ["float16 with while"]),
        ("float16", "unroll", 60, ["float16 with unroll"]),
        ("int8", "auto", 60, ["full_int8 with int8_loop", "int8_weights with while"]),
        (
            "int8",
            "auto",
            20,
            ["full_int8 with int8_loop", "full_int8 with unroll", "int8_weights with while"],
        ),
        ("int8", "int8_loop", 20, ["full_int8 with int8_loop"]),
        ("int8", "while", 20, ["int8_weights with while"]),
    ],
)
def test_forms_from_best_to_last(format_: Any, recurrent: Any, frames: int, expected: list[str]):
    settings = ExportSettings(recurrent=recurrent)
    assert [str(c) for c in candidates(_network(frames).model, format_, settings)] == expected


def test_a_network_without_recurrent_layers_has_one_form():
    model = _network(20, recurrent=False).model
    settings = ExportSettings(recurrent="unroll")
    assert [str(c) for c in candidates(model, "int8", settings)] == ["full_int8"]
    assert [str(c) for c in candidates(model, "float16", settings)] == ["float16"]


class Converter:
    """Stands for the child process: writes as many bytes as said, or dies."""

    def __init__(self, sizes: dict[str, int | None]) -> None:
        self.sizes = sizes

    def __call__(self, module: str, request: Any, *, what: str, **limits: Any) -> None:
        size = self.sizes[request["recurrent"]]
        if size is None:
            raise ChildDied(f"{what}: the process died of SIGSEGV")
        Path(request["output"]).write_bytes(bytes(size))


def _lower(sizes: dict[str, int | None], tmp_path: Path, monkeypatch, budget: int = 100):
    monkeypatch.setattr(lowering, "run_module", Converter(sizes))
    settings = ExportSettings(budget=budget)
    return lower_first(_network(20), "int8", tmp_path, settings, lambda line: None)


def test_a_dying_converter_is_one_failed_form(tmp_path: Path, monkeypatch):
    made = _lower({"int8_loop": None, "unroll": 90, "while": 10}, tmp_path, monkeypatch)
    assert (made.form, made.recurrent) == ("full_int8", "unroll")
    (failure,) = made.failures
    assert failure == (
        "converting model.keras to full_int8 with int8_loop: the process died of SIGSEGV"
    )


def test_the_first_form_that_fits_is_taken(tmp_path: Path, monkeypatch):
    made = _lower({"int8_loop": 101, "unroll": 400, "while": 100}, tmp_path, monkeypatch)
    assert (made.form, made.recurrent) == ("int8_weights", "while")
    assert made.failures == (
        "full_int8 with int8_loop has 101 bytes",
        "full_int8 with unroll has 400 bytes",
    )


def test_where_none_fits_the_smallest_is_kept(tmp_path: Path, monkeypatch):
    made = _lower({"int8_loop": 300, "unroll": 400, "while": 350}, tmp_path, monkeypatch)
    assert made.recurrent == "int8_loop"


def test_where_none_converts_each_says_why(tmp_path: Path, monkeypatch):
    sizes: dict[str, int | None] = dict.fromkeys(("int8_loop", "unroll", "while"))
    with pytest.raises(ExportError, match="(?s)int8_loop.*SIGSEGV.*unroll.*int8_weights with"):
        _lower(sizes, tmp_path, monkeypatch)
