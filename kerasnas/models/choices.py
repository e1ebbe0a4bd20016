"""Spaces of blocks one after another, some of them one of several: what a supernet can hold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.errors import KerasnasError, counted
from kerasnas.models.space import SearchSpace, Values

if TYPE_CHECKING:
    import keras_tuner

Options = Mapping[str, Block]
"""Blocks of which one is taken, by the value of the gene that takes it."""


@dataclass(frozen=True)
class ChoiceSpace(SearchSpace):
    """Genes `layer1`, `layer2`, ...: one for every choice, in order."""

    @property
    @abstractmethod
    def layers(self) -> tuple[Block | Options, ...]:
        """From the input to the output; options of one layer make the same shape."""

    @property
    def choices(self) -> dict[str, Options]:
        """The options of every gene."""
        found = [layer for layer in self.layers if not isinstance(layer, Block)]
        return {f"layer{number}": options for number, options in enumerate(found, 1)}

    def define(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare every gene."""
        for gene, options in self.choices.items():
            hp.Choice(gene, list(options))

    def path(self, values: Values) -> tuple[int, ...]:
        """For every choice the index of the option that the values take, from 0.

        Raises:
            KerasnasError: A gene is missing, or has no such option.
        """
        indices = []
        for gene, options in self.choices.items():
            names = list(options)
            if values.get(gene) not in names:
                raise KerasnasError(
                    f"{gene} is {values.get(gene, 'missing')}: it can be {', '.join(names)}"
                )
            indices.append(names.index(values[gene]))
        return tuple(indices)

    def chromosome(self, genes: Sequence[int]) -> Values:
        """Values of a chromosome as papers print it: for every choice an option, counted from 1.

        Raises:
            KerasnasError: It has too few or too many genes, or one that is no option.
        """
        if len(genes) != len(self.choices):
            raise KerasnasError(
                f"a chromosome of {counted(len(genes), 'gene')} was given: this space has "
                f"{counted(len(self.choices), 'layer')} to choose"
            )
        values = {}
        for place, (gene, (layer, options)) in enumerate(
            zip(genes, self.choices.items(), strict=True), 1
        ):
            if not 1 <= gene <= len(options):
                raise KerasnasError(
                    f"gene {place} of a chromosome is {gene}: it can be 1 to {len(options)} "
                    f"({', '.join(options)})"
                )
            values[layer] = list(options)[gene - 1]
        return values

    def architecture(self, values: Values) -> Architecture:
        """Return the network that the genes' values describe."""
        path = iter(self.path(values))
        return Architecture(
            self.input_shape,
            tuple(
                layer if isinstance(layer, Block) else list(layer.values())[next(path)]
                for layer in self.layers
            ),
            self.causal,
        )
