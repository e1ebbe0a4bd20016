"""The page: its frame, its style, and its sections in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kerasnas.report import curves, exported, held_out, network, search, summary
from kerasnas.report.html import Markup, join, note, paragraph, tag
from kerasnas.report.run import MissingError, Run, read
from kerasnas.report.style import STYLE


def page(path: Path, gene: str | None = None) -> str:
    """The whole page of a run directory; see `kerasnas.report.write`."""
    run = read(path)
    search.check_gene(run, gene)
    sections: tuple[tuple[str, str, Callable[[Run], Markup]], ...] = (
        ("summary", "Result", summary.section),
        ("sizes", "Candidates by score and size", search.sizes),
        ("genes", "What the decisions did", lambda run: search.genes(run, gene)),
        ("curves", "Learning curves", curves.section),
        ("held-out", "On held-out clips", held_out.section),
        ("network", "The chosen network", network.section),
        ("trials", "Trials", search.candidates),
        ("export", "Exported files", exported.section),
        ("folds", "Folds", held_out.folds),
        ("selection", "What was selected on what", _selection),
    )
    name = str(run.experiment.get("name") or path.name)
    links = [tag("a", title, href=f"#{id}") for id, title, _ in sections]
    body = tag(
        "body",
        tag("header", tag("h1", name), tag("p", "Report of a kerasnas search")),
        tag("nav", *links, aria_label="Sections"),
        tag("main", *(_section(run, *section) for section in sections)),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Nothing is fetched and no script runs, whatever names and messages the run holds.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        ),
        tag("title", f"{name}: kerasnas report"),
        tag("style", Markup(STYLE)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(run: Run, id: str, title: str, content: Callable[[Run], Markup]) -> Markup:
    try:
        inner = content(run)
    except MissingError as missing:
        inner = note(str(missing))
    heading = tag("h2", title, id=f"{id}-title")
    return tag("section", heading, inner, id=id, aria_labelledby=f"{id}-title")


def _selection(run: Run) -> Markup:
    validated = _validation(run)
    criteria = [
        ("The architecture", f"validation clips: {validated}"),
        ("Weights of candidates", "training clips"),
        (
            "Weights of winners",
            "training and validation clips together; where the final recipe stops early, the "
            "validation clips tell it when",
        ),
        ("Ranges of the integer file", "clips that the winner was trained on"),
        ("Decision threshold", "none is chosen: highest score, or 0.5 for each tag"),
        (
            "Held-out clips",
            "nothing. They are only scored: here, and in the column of trials, which no choice "
            "looks at",
        ),
    ]
    listed = [item for name, text in criteria for item in (tag("dt", name), tag("dd", text))]
    return join(
        [
            paragraph(
                "Held-out figures come from clips that nothing was chosen on. Validation figures "
                "are those that the choice was made by, and flatter the best candidates."
            ),
            tag("dl", *listed, class_="selection"),
            tag(
                "details",
                tag("summary", "The experiment, with every default filled in"),
                tag("pre", run.experiment_text),
            ),
        ]
    )


def _validation(run: Run) -> str:
    split = run.experiment.get("split") or {}
    by = split.get("by")
    if by == "split":
        return "those that the data set's list names"
    if by == "fold" and split.get("validation_fold") is not None:
        return f"fold {split['validation_fold']}; held out is fold {split.get('test_fold')}"
    fraction = split.get("validation_fraction")
    share = "a part" if fraction is None else f"{100 * float(fraction):g} %"
    if by == "fold":
        return f"{share} of the training folds; held out is fold {split.get('test_fold')}"
    return f"{share} of the clips that are not held out, stratified, groups kept together"
