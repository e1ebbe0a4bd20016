"""Strategies for what people and disks do to files, and a clock for what would never end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

PATIENCE = 20.0
"""Seconds after which something hangs."""

_EDITS = ("overwrite", "insert", "delete", "repeat", "cut", "zero")
_INTERESTING = st.sampled_from(
    [b"\x00", b"\xff", b"\n", b'"', b",", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00" * 8]
)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes, edits: int = 5) -> bytes:
    """Return `whole` after a few edits, some of them at its beginning, where headers are."""
    content = whole
    for _ in range(draw(st.integers(1, edits))):
        end = len(content) if draw(st.booleans()) else min(len(content), 64)
        at = draw(st.integers(0, max(0, end - 1)))
        kind = draw(st.sampled_from(_EDITS))
        size = draw(st.integers(1, 16))
        given = draw(st.binary(min_size=1, max_size=8) | _INTERESTING)
        if kind == "overwrite":
            content = content[:at] + given + content[at + len(given) :]
        elif kind == "insert":
            content = content[:at] + given + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + size :]
        elif kind == "repeat":
            content = content[: at + size] + content[at:]
        elif kind == "cut":
            content = content[:at]
        else:
            content = content[:at] + bytes(size) + content[at + size :]
    return content


_NUMBERS = [-1, 0, 1, 2**31, 2**62, 0.5, -1.5, 1e-300, 1e300]
_TEXTS = ["", "x", "x" * 300, "all", "auto", "max", "a.b", "a/b", "..", "1"]
_LISTS = [[], [[]], [1], [0, 0], [-1, 2], ["x"], [None]]
_FIELDS = [{}, {"a": 1}, {"name": "nsga2"}, {"kind": "scalogram"}, {"space": "nasc"}]
ODD: st.SearchStrategy[Any] = (
    st.sampled_from([None, True, False, *_NUMBERS, *_TEXTS, *_LISTS, *_FIELDS])
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
)
"""Values that a setting does not expect, or seldom."""


@st.composite
def resettled(draw: st.DrawFn, settings: Any) -> Any:
    """Return settings, of which some are odd, missing, or have another's value."""
    if isinstance(settings, dict) and settings and draw(st.integers(0, 9)) > 0:
        name = draw(st.sampled_from(sorted(settings)))
        change = draw(st.integers(0, 9))
        changed = dict(settings)
        if change == 0:
            del changed[name]
        elif change == 1:
            changed[draw(st.text(max_size=9))] = draw(ODD)
        elif change == 2:
            changed[name] = settings[draw(st.sampled_from(sorted(settings)))]
        else:
            changed[name] = draw(resettled(settings[name]))
        return changed
    if isinstance(settings, list) and settings and draw(st.booleans()):
        at = draw(st.integers(0, len(settings) - 1))
        return [*settings[:at], draw(resettled(settings[at])), *settings[at + 1 :]]
    return draw(ODD)


@contextmanager
def within_patience() -> Iterator[None]:
    """Fail what would never end; nothing that ends is told by its time."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"it has not ended after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
