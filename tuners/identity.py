"""Whether a journal belongs to the search that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import SearchError
from .genes import Genes

_REMEDY = "use another directory, or delete this one to start again"


def check_identity(found: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse a journal whose header names another search.

    Raises:
        SearchError: With what differs.
    """
    different = [
        f"{name}: {found.get(name)!r} there, {wanted.get(name)!r} here"
        for name in {**found, **wanted}
        if found.get(name) != wanted.get(name)
    ]
    if different:
        raise SearchError(f"{path} belongs to another search ({'; '.join(different)}): {_REMEDY}")


def check_genes(found: Genes | None, wanted: Genes, path: Path) -> None:
    """Refuse a journal made with other genes; it may have met more than are declared now.

    Raises:
        SearchError: With the names of those that differ.
    """
    if found is None or tuple(found[: len(wanted)]) == tuple(wanted):
        return
    before = {(gene.name, gene.conditions): gene for gene in found}
    changed = [gene.name for gene in wanted if before.get((gene.name, gene.conditions)) != gene]
    raise SearchError(
        f"{path} was made with other genes (different: {', '.join(changed) or 'their order'}): "
        f"{_REMEDY}"
    )
