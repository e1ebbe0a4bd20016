"""How NSGA-II makes new values from old ones: tournament, exchange of genes, mutation.

Li et al., "Neural Architecture Search on Acoustic Scene Classification", Interspeech 2020, section
2.2.3: two tournament winners exchange the genes at two chosen positions; one to four genes are
changed. Deviation: one of the exchange's two children is made, as a suggestion is one candidate.
The tournament that the paper cites (Deb et al. 2002) is binary: `entrants=2`.

The paper's genes are all active. Here only genes that are active in both parents are exchanged; a
gene that the exchange makes active comes from the other parent, and one that neither parent has,
or that a mutation makes active, is drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.genes import Chromosome, Genes, Value


def winners(
    ranks: Sequence[int], crowding: Sequence[float], entrants: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Return two members, each the best of `entrants` drawn at random, the second not the first.

    Less rank goes before more crowding distance; of equals the first drawn wins.

    Args:
        ranks: Of each of at least two members, 0 for the first front.
        crowding: Crowding distance of each member within its front.
        entrants: Members of a tournament; at least 1. A smaller population enters whole.
        rng: What draws.
    """

    def best(members: list[int]) -> int:
        return min(_drawn(members, entrants, rng), key=lambda i: (ranks[i], -crowding[i]))

    members = list(range(len(ranks)))
    first = best(members)
    members.remove(first)
    return first, best(members)


def exchanged(
    genes: Genes, first: Chromosome, second: Chromosome, rng: np.random.Generator
) -> dict[str, Value]:
    """Return the first parent's values with the second's genes at two positions, none between."""
    both = [
        index
        for index, gene in enumerate(genes)
        if first[index] is not None and second[index] is not None and gene.varies
    ]
    child = [other if own is None else own for own, other in zip(first, second, strict=True)]
    for index in _drawn(both, 2, rng):
        child[index] = second[index]
    return genes.decode(rng.random(len(genes)).tolist(), child)


def mutated(
    genes: Genes, chromosome: Chromosome, most: int, rng: np.random.Generator
) -> dict[str, Value]:
    """Return a chromosome's values with one to `most` active genes changed to other values."""
    child = list(chromosome)
    active = [index for index, gene in enumerate(genes) if child[index] is not None and gene.varies]
    for index in _drawn(active, int(rng.integers(1, most + 1)), rng):
        while child[index] == chromosome[index]:
            child[index] = genes[index].value(rng.random())
    return genes.decode(rng.random(len(genes)).tolist(), child)


def _drawn(indices: list[int], count: int, rng: np.random.Generator) -> list[int]:
    """At most `count` different ones."""
    chosen = rng.permutation(len(indices))[:count]
    return [indices[position] for position in chosen.tolist()]
