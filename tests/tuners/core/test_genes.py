"""The gene table: what KerasTuner declares, as plain data."""

import json
from collections import Counter

import numpy as np
import pytest

from kerasnas.tuners.core.errors import SearchError
from kerasnas.tuners.core.genes import Condition, Gene, Genes, key
from kerasnas.tuners.results import Results
from kerasnas.tuners.search import Search


def config(kind, name, parents=(), **fields):
    conditions = [
        {"class_name": "Parent", "config": {"name": parent, "values": values}}
        for parent, values in parents
    ]
    return {"class_name": kind, "config": {"name": name, "conditions": conditions, **fields}}


def number(kind, name, low, high, step=None, sampling="linear", parents=()):
    return config(kind, name, parents, min_value=low, max_value=high, step=step, sampling=sampling)


NESTED = [
    config("Choice", "family", values=["dense", "conv"]),
    number("Int", "units", 1, 4, 1, parents=[("family", ["dense"])]),
    config("Boolean", "norm", [("family", ["conv"])]),
    config("Choice", "kind", [("family", ["conv"]), ("norm", [True])], values=["batch", "layer"]),
    config("Fixed", "classes", value=3),
]


@pytest.mark.parametrize(
    ("description", "values"),
    [
        (config("Choice", "x", values=[4, 2]), [4, 2]),
        (config("Boolean", "x"), [False, True]),
        (config("Fixed", "x", value="a"), ["a"]),
        (number("Int", "x", 6, 13, 3), [6, 9, 12]),
        (number("Int", "x", 2, 32, 2, "log"), [2, 4, 8, 16, 32]),
        (number("Float", "x", 0.5, 2.0, 0.5), [0.5, 1.0, 1.5, 2.0]),
        (number("Float", "x", 0.001, 10.0, 10, "log"), pytest.approx([0.001, 0.01, 0.1, 1, 10])),
        # KerasTuner documents these six and gives five.
        (number("Float", "x", 0.0, 1.0, 0.2), pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])),
        (number("Int", "x", 1, 8, 2, "reverse_log"), [8, 7, 5, 1]),
    ],
)
def test_finite_values(description, values):
    assert list(Gene.from_config(description).values) == values


def test_options_are_finitely_many_or_refused():
    assert list(Gene("x", values=("a", "b")).options()) == ["a", "b"]
    assert list(Gene.from_config(number("Int", "x", 3, 6, None, "log")).options()) == [3, 4, 5, 6]
    with pytest.raises(SearchError, match="gene 'x' is continuous, 0.5 to 1.0.*with a step"):
        Gene.from_config(number("Float", "x", 0.5, 1.0)).options()


@pytest.mark.parametrize("sampling", ["linear", "log", "reverse_log"])
@pytest.mark.parametrize("kind", ["Int", "Float"])
def test_spans_reach_both_ends_and_stay_inside(kind, sampling):
    gene = Gene.from_config(number(kind, "x", 2, 50, None, sampling))
    values = [gene.value(position) for position in np.linspace(0, 1 - 1e-12, 501)]
    assert values[0] == pytest.approx(2)
    assert values[-1] == pytest.approx(50)
    assert [gene.checked(value) for value in values] == values
    assert values == sorted(values)


def test_log_span_is_even_in_the_logarithm():
    gene = Gene.from_config(number("Float", "x", 1e-4, 1e-2, None, "log"))
    assert gene.value(0.5) == pytest.approx(1e-3)


def test_unknown_kind_is_named():
    with pytest.raises(SearchError, match="'x' is of the unknown kind 'Spline'"):
        Gene.from_config(config("Spline", "x"))


def test_every_choice_is_equally_probable():
    genes = Genes.from_config([config("Choice", "a", values=[1, 2, 3, 4, 5])])
    rng = np.random.default_rng(1)
    counts = Counter(genes.decode([position])["a"] for position in rng.random(20_000))
    # Chi-square with 4 degrees of freedom: 18.5 is passed once in a thousand seeds.
    assert sum((counts[value] - 4000) ** 2 / 4000 for value in range(1, 6)) < 18.5


def test_only_active_genes_have_values():
    genes = Genes.from_config(NESTED)
    assert genes.decode([0.0] * 5) == {"family": "dense", "units": 1, "classes": 3}
    assert genes.decode([0.9, 0, 0, 0.9, 0]) == {"family": "conv", "norm": False, "classes": 3}
    assert genes.decode([0.9] * 5) == {
        "family": "conv", "norm": True, "kind": "layer", "classes": 3,
    }  # fmt: skip


def test_one_name_under_two_conditions():
    genes = Genes.from_config(
        [
            config("Choice", "model", values=["a", "b"]),
            config("Choice", "units", [("model", ["a"])], values=[1]),
            config("Choice", "units", [("model", ["b"])], values=[2]),
        ]
    )
    assert genes.decode([0, 0, 0])["units"] == 1
    assert genes.decode([0.9, 0, 0])["units"] == 2


def test_chromosomes_have_an_entry_for_every_gene():
    genes = Genes.from_config(NESTED)
    for positions in ([0.0] * 5, [0.9, 0, 0, 0.9, 0], [0.9] * 5):
        values = genes.decode(positions)
        chromosome = genes.chromosome({**values, "of no gene": 1})
        assert len(chromosome) == 5
        assert [value for value in chromosome if value is not None] == list(values.values())
        assert genes.decode([0.5] * 5, chromosome) == values
    assert genes.decode([0.9] * 5, [None, None, False, None, None])["norm"] is False


def test_chromosome_of_one_name_under_two_conditions():
    genes = Genes.from_config(
        [
            config("Choice", "model", values=["a", "b"]),
            config("Choice", "units", [("model", ["a"])], values=[1]),
            config("Choice", "units", [("model", ["b"])], values=[2]),
        ]
    )
    assert genes.chromosome({"model": "a", "units": 1}) == ["a", 1, None]
    assert genes.chromosome({"model": "b", "units": 2}) == ["b", None, 2]


@pytest.mark.parametrize(
    ("gene", "varies"),
    [
        (Gene("g", values=(1, 1)), False),
        (Gene("g", values=(1, 2)), True),
        (Gene("g", span=(1, 1, "linear")), False),
        (Gene("g", span=(1, 2, "linear")), True),
    ],
)
def test_a_gene_of_one_value_does_not_vary(gene, varies):
    assert gene.varies is varies


def test_parents_come_first_whatever_the_order():
    genes = Genes.from_config(reversed(NESTED))
    names = [gene.name for gene in genes]
    assert names.index("family") < names.index("norm") < names.index("kind")
    assert genes.decode([0.9] * 5)["kind"] == "layer"


def test_circle_of_conditions_is_refused():
    with pytest.raises(SearchError, match="circle: a, b"):
        Genes.from_config(
            [
                config("Choice", "a", [("b", [1])], values=[1]),
                config("Choice", "b", [("a", [1])], values=[1]),
            ]
        )


def test_table_survives_json():
    genes = Genes.from_config([*NESTED, number("Float", "rate", 0.1, 0.5)])
    assert Genes.from_config(json.loads(json.dumps(genes.config()))) == genes


def test_growth_moves_nothing():
    genes = Genes.from_config(NESTED[:2])
    grown = genes.extended(Genes.from_config([NESTED[4], NESTED[0]]))
    assert [gene.name for gene in grown] == ["family", "units", "classes"]
    assert genes.extended(Genes.from_config(NESTED[:1])) is genes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"family": "dense"}, "no value for gene 'units': give one of 1, 2, 3, 4"),
        ({"family": "dense", "units": 9}, "gene 'units' cannot be 9"),
        ({"family": "dense", "units": True}, "cannot be True"),
        ({"family": "rnn"}, "'rnn' .* give one of 'dense', 'conv'"),
        ({"family": "dense", "units": 1, "classes": 3, "norm": True}, "'norm' is no active gene"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(SearchError, match=message):
        Genes.from_config(NESTED).check(values)


def test_a_whole_number_may_stand_for_a_float_and_not_for_a_boolean():
    growth = Gene.from_config(config("Choice", "growth", values=[1.0, 1.5]))
    rate = Gene.from_config(number("Float", "rate", 0.5, 2.0))
    for gene in (growth, rate):
        assert type(gene.checked(1)) is float
        with pytest.raises(SearchError, match="cannot be True"):
            gene.checked(True)
    flag = Gene.from_config(config("Boolean", "flag"))
    assert flag.checked(True) is True
    for wrong in (1, "True", None):
        with pytest.raises(SearchError, match="give one of False, True"):
            flag.checked(wrong)


def test_checked_values_come_in_the_tables_order():
    values = {"classes": 3, "units": 2, "family": "dense"}
    checked = Genes.from_config(NESTED).check(values)
    assert list(checked) == ["family", "units", "classes"]
    assert key(checked) == key(values)


def test_keras_tuners_own_description_is_read():
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.Choice("family", ["dense", "conv"])
    with hp.conditional_scope("family", ["dense"]):
        hp.Int("units", 1, 4)
    with hp.conditional_scope("family", ["conv"]):
        hp.Boolean("norm")
        with hp.conditional_scope("norm", [True]):
            hp.Choice("kind", ["batch", "layer"])
    hp.Fixed("classes", 3)
    assert Genes.from_hyperparameters(hp) == Genes.from_config(NESTED)


def test_genes_made_by_hand_survive_being_written(tmp_path):
    genes = Genes(
        [
            Gene("kind", values=("a", "b")),
            Gene("width", (Condition("kind", ("b",)),), values=range(8, 33, 8)),
            Gene("rate", span=(0.001, 0.1, "log")),
            Gene("depth", span=(1, 9, "linear"), integer=True),
        ]
    )
    again = Genes.from_config(json.loads(json.dumps(genes.config())))
    assert again == genes
    with Search(genes, [("loss", "min")], max_trials=2, directory=tmp_path) as search:
        search.ask()
    assert Results.read(tmp_path).trials[0].values
