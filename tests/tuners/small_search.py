"""A small search, which its tests share: four genes, two objectives, scores by a formula."""

from kerasnas.tuners import Genes, Search


def choice(name, values, parents=()):
    conditions = [
        {"class_name": "Parent", "config": {"name": parent, "values": allowed}}
        for parent, allowed in parents
    ]
    return {
        "class_name": "Choice",
        "config": {"name": name, "values": values, "conditions": conditions},
    }


GENES = Genes.from_config(
    [
        choice("layers", [1, 2]),
        choice("first", [1, 2, 3, 4, 5, 6, 7, 8]),
        choice("second", [0.5, 1.5, 2.5], [("layers", [2])]),
        choice("kind", ["a", "b"]),
    ]
)
OBJECTIVES = [("accuracy", "max"), ("loss", "min")]


def cost(values):
    return values["first"] * values["layers"]


def make(directory=None, max_trials=8, **settings):
    return Search(GENES, OBJECTIVES, max_trials=max_trials, directory=directory, **settings)


def score(values):
    return {"accuracy": cost(values) / 20, "loss": values.get("second", 3.0)}


def run(search):
    while trial := search.ask():
        search.tell(trial.id, score(trial.values))
    return search


def table(search):
    """All that must not depend on when the search ran."""
    return [
        (t.id, t.values, t.status, t.metrics, t.attempt, t.cost, t.rejected, t.sizes, t.message)
        for t in search.trials
    ]


def values(**given):
    return {"layers": 1, "first": 1, "kind": "a", **given}
