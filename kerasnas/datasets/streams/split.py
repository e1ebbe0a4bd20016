"""Which streams decisions are mined, chosen and measured on: no sound is in two parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from kerasnas.datasets.streams.streams import SPLITS, TABLE, Stream, Streams
from kerasnas.errors import KerasnasError
from kerasnas.streams import Stream as RandomStream


def split_streams(streams: Streams, seed: int) -> Streams:
    """Return streams of which each has a part; those without one are dealt out here.

    Streams that share a source stay together. Half of the groups validate, half are tested on.

    Args:
        streams: All.
        seed: Of the experiment.

    Raises:
        KerasnasError: Some streams have a split and others not, sound that is heard in one part is
            heard in another, too, or there are too few sources to part.
    """
    given = [stream.split for stream in streams.streams]
    if all(name is not None for name in given):
        _check_apart(streams)
        return streams
    if any(name is not None for name in given):
        lacking = next(stream.id for stream in streams.streams if stream.split is None)
        raise KerasnasError(
            f"{streams.root / TABLE}: {lacking} has no split, and others have: give one each "
            f"({', '.join(SPLITS)})"
        )
    groups = _groups(streams.streams)
    if len(groups) < 2:
        raise KerasnasError(
            f"{streams.root}: all streams share their sources, and what decisions are chosen on "
            "may not be what they are measured on: add streams of other sources, or list streams "
            f"of other sources as split test in {TABLE}"
        )
    order = np.random.default_rng((seed, RandomStream.STREAMS)).permutation(len(groups))
    half = {index for place in order[: len(groups) // 2] for index in groups[place]}
    dealt = tuple(
        replace(stream, split="validation" if index in half else "test")
        for index, stream in enumerate(streams.streams)
    )
    return Streams(streams.root, dealt)


def check_other_sources(streams: Sequence[Stream], known: Iterable[str], reason: str) -> None:
    """Refuse streams in which something is heard that was used before.

    Args:
        streams: To be used now.
        known: Names of sources.
        reason: What they were used for, and the remedy.

    Raises:
        KerasnasError: A stream has such a source.
    """
    used = set(known)
    for stream in streams:
        if shared := sorted(stream.sources & used):
            raise KerasnasError(f"{stream.path}: its source {shared[0]} {reason}")


def _check_apart(streams: Streams) -> None:
    owner: dict[str, Stream] = {}
    for stream in streams.streams:
        for source in sorted(stream.sources):
            first = owner.setdefault(source, stream)
            if first.split != stream.split:
                raise KerasnasError(
                    f"{streams.root}: {source} is heard in {first.id}, which is split "
                    f"{first.split}, and in {stream.id}, which is split {stream.split}: what is "
                    "chosen on a sound cannot be measured on it; correct the split, or leave one "
                    "of the two out"
                )


def _groups(streams: Sequence[Stream]) -> list[list[int]]:
    """Return indices of streams that share sources, directly or through others."""
    group = list(range(len(streams)))
    owner: dict[str, int] = {}
    for index, stream in enumerate(streams):
        for source in stream.sources:
            first = group[owner.setdefault(source, index)]
            old = group[index]
            group = [first if each == old else each for each in group]
    members = defaultdict[int, list[int]](list)
    for index, name in enumerate(group):
        members[name].append(index)
    return list(members.values())
