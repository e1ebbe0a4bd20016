"""Names as people write them."""

import pytest

from kerasnas.words import words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("macro_f1", "macro F1"),
        ("mean_auc", "mean AUC"),
        ("balanced_accuracy", "balanced accuracy"),
    ],
)
def test_abbreviations_are_capital_letters(name: str, expected: str) -> None:
    assert words(name) == expected
