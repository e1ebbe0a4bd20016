"""The header by which a model hub finds a card: YAML between two lines of dashes.

Hugging Face, "Model cards" (documentation of the hub), fields `pipeline_tag`, `library_name`,
`tags`, `metrics` and `model-index`; `sha256` is an addition. A licence is left to the owner of the
recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from kerasnas.runs.records import Export

_TASK = "audio-classification"


def card_header(
    name: str, dataset: str, export: Export, scores: Mapping[str, Mapping[str, float]]
) -> str:
    """Return the header of a card, without a line break at its end.

    Args:
        name: The model's.
        dataset: The data set's.
        export: The files.
        scores: Of each file on test clips, by the file's name and the metric's.
    """
    metrics = [
        {"type": metric, "name": f"{metric} of {file}", "value": round(value, 4)}
        for file, known in scores.items()
        for metric, value in known.items()
    ]
    result = {
        "task": {"type": _TASK},
        "dataset": {"name": dataset, "type": dataset, "split": "test"},
        "metrics": metrics,
    }
    fields: dict[str, Any] = {
        "pipeline_tag": _TASK,
        "library_name": "litert",
        "tags": ["audio", "litert", "tflite", "kerasnas"],
        "metrics": sorted({entry["type"] for entry in metrics}),
        "model-index": [{"name": name, "results": [result]}],
        "sha256": dict(export.checksums),
    }
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    return f"---\n{text}# license: yours to choose; it depends on the recordings, too.\n---"
