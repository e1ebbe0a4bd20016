"""A history and the journal that keeps it: an event is checked, written, and then applied."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import SearchError
from .genes import Genes
from .history import History, fold
from .identity import check_genes, check_identity
from .plain import plain
from .storage.chain import Chain
from .storage.journal import JOURNAL, Journal


class Ledger:
    """What has happened in a search, in memory or in a directory as well.

    Args:
        history: Empty; what the directory's journal holds is folded into it.
        genes: The table of genes that the search declares.
        directory: Where `journal.jsonl` is kept, or continued; None keeps all in memory.
        identity: JSON that tells this search from others.
        take_over: See `Journal`.
        clock: Seconds, monotonic.

    Raises:
        SearchError: The directory holds another search.
        JournalError: See `Journal`.
    """

    def __init__(
        self,
        history: History,
        genes: Genes,
        directory: Path | str | None,
        identity: Mapping[str, Any],
        take_over: bool,
        clock: Callable[[], float],
    ) -> None:
        self.history = history
        self._clock = clock
        self._applied = 0  # lines of the journal
        self._journal: Journal | None = None
        if directory is not None:
            given = plain(identity)
            path = Path(directory) / JOURNAL
            self._journal = Journal(path, {"identity": given}, take_over=take_over)
        try:
            if self._journal is not None:
                check_identity(self._journal.header.get("identity"), given, path)
                fold(self._journal.events, history, path)
                self._journal.events.clear()
                self._applied = self._journal.lines
                check_genes(history.genes, genes, path)
            self._opened = clock() - history.elapsed
            self.record("open", pid=os.getpid(), host=socket.gethostname(), time=time.time())
        except BaseException:
            self.close()
            raise

    @property
    def elapsed(self) -> float:
        """Seconds the search has run, over all sessions."""
        return self._clock() - self._opened

    @property
    def dropped(self) -> int:
        """Bytes of a half-written event that were cut off when the journal was opened."""
        return self._journal.dropped if self._journal else 0

    @property
    def closed(self) -> bool:
        """Whether the directory was given up."""
        return self._journal is not None and self._journal.closed

    def record(self, event: str, *, durable: bool = False, **fields: Any) -> None:
        """Append an event that is sure to be applied, and apply it.

        Args:
            event: Its kind; see `history`.
            durable: Wait until the disk has it.
            fields: JSON.

        Raises:
            SearchError: It cannot be applied, or is no JSON; nothing has changed.
            JournalError: It could not be written; nothing has changed either.
        """
        line = {"event": event, "elapsed": round(self.elapsed, 3), **fields}
        change = self.history.prepare(line)
        try:
            if self._journal is None:
                Chain().seal(line)  # what a file could not keep is refused all the same
            else:
                if self._journal.lines != self._applied:
                    self._journal.close()  # an interrupt fell between writing and applying
                self._journal.append(line, durable=durable)
        except (TypeError, ValueError, RecursionError) as error:
            raise SearchError(f"what was given cannot be kept as JSON: {error}") from error
        change()
        self._applied += 1

    def close(self) -> None:
        """Give the directory up; may be called twice."""
        if self._journal is not None:
            self._journal.close()
