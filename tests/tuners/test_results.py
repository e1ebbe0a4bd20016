"""How a search, its past and its genes show themselves in a console and in a notebook."""

from kerasnas.tuners import Gene, Genes, Results, Search
from tests.tuners.small_search import values


def search(**settings):
    return Search(
        [Gene("width", values=(1, 2, 3)), Gene("cell", values=("<lstm>",))],
        [("accuracy", "max"), ("loss", "min")],
        max_trials=3,
        **settings,
    )


def test_a_search_tells_its_trials_and_the_best(tmp_path):
    with search(directory=tmp_path) as made:
        assert repr(made) == "<Search: 0 trials>"
        first, second = made.ask(), made.ask()
        made.tell(first.id, {"accuracy": 0.25, "loss": 2.0})
        made.fail(second.id, "no memory")
        made.ask()
        told = "3 trials (1 completed, 1 failed, 1 running), best accuracy 0.25 in trial 0000"
        assert repr(made) == f"<Search: {told}>"
    assert repr(Results.read(tmp_path)) == f"<Results: {told}>"
    assert repr(made.history).startswith(
        "<History: 3 trials (1 completed, 1 running, 0 waiting), 1 session, "
    )


def test_a_notebook_shows_the_front_as_a_table():
    made = search()
    scores = [(0.25, 2.0), (0.5, 1.0), (0.75, 1.5)]  # the first is dominated
    for accuracy, loss in scores:
        made.tell(made.ask().id, {"accuracy": accuracy, "loss": loss})
    shown = made._repr_html_()
    assert shown.count("<tr>") == 1 + 2
    assert "<th>accuracy</th><th>loss</th>" in shown
    assert "<td>0.75</td><td>1.5</td>" in shown
    assert "cell=&lt;lstm&gt;" in shown


def test_genes_tell_their_names():
    assert repr(Genes([Gene(name, values=(1, 2)) for name in values()])) == (
        "<Genes: 3 (layers, first, kind)>"
    )
    assert repr(Genes([])) == "<Genes: none>"
