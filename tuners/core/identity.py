"""Whether a journal belongs to the search that opens it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import SearchError
from .genes import Genes
from .objective import Objective, objectives_from
from .storage.chain import damaged

_REMEDY = "use another directory, or delete this one to start again"


def check_identity(found: Any, wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse a journal whose header names another search.

    Raises:
        SearchError: With what differs.
        JournalError: The header names none.
    """
    if not isinstance(found, Mapping):
        raise damaged(path, 1, "it names no search")
    there, here = dict(_flat(found)), dict(_flat(wanted))
    different = [
        f"{name}: {there.get(name)!r} there, {here.get(name)!r} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if different:
        raise SearchError(f"{path} belongs to another search ({'; '.join(different)}): {_REMEDY}")


def objectives_in(header: Mapping[str, Any], path: Path) -> tuple[Objective, ...]:
    """Return the objectives that a journal's header names.

    Raises:
        JournalError: It names none.
    """
    try:
        return objectives_from(header["identity"]["objectives"])
    except Exception as error:  # nothing else may come of a file
        raise damaged(path, 1, "it names no objectives") from error


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


def _flat(identity: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Its entries by dotted names."""
    for name, value in identity.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
