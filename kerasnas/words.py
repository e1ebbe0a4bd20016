"""Names of metrics and columns as people write them."""

from __future__ import annotations

_ABBREVIATIONS = {"f1": "F1", "auc": "AUC"}


def words(name: str) -> str:
    """Return the name of a metric or a column in words: `macro F1` of `macro_f1`."""
    return " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))
