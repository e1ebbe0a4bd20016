"""The page: its frame, its style, and its sections in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kerasnas.report.html.elements import Markup, join, note, paragraph, tag
from kerasnas.report.html.frame import document
from kerasnas.report.reading import MissingError, within
from kerasnas.report.sections import (
    compared,
    curves,
    decisions,
    exported,
    held_out,
    mistakes,
    models,
    network,
    quality,
    search,
    selection,
    streams,
    summary,
    supernet,
    trunk,
)
from kerasnas.runs.damage import damaged
from kerasnas.runs.run import Run


def page(path: Path, gene: str | None = None) -> str:
    """Return the whole page of a run directory; see `kerasnas.report.write`."""
    run = Run.read(path)
    search.check_gene(run, gene)
    contents: tuple[tuple[str, str, Callable[[Run], Markup | None]], ...] = (
        ("damage", "Files that cannot be read", _damage),
        ("summary", "Result", summary.section),
        ("trunk", "With a pretrained network", trunk.section),
        ("recipes", "Recipes tried", selection.recipes),
        ("sizes", "Candidates by score and size", search.sizes),
        ("front", "Pareto front", decisions.front),
        ("controller", "The controller", decisions.controller),
        ("choices", "What was picked", decisions.choices),
        ("generations", "Generations, and random search", supernet.generations),
        ("agreement", "Ranks of the supernet and of trained networks", supernet.agreement),
        ("genes", "What the decisions did", lambda run: search.genes(run, gene)),
        ("curves", "Learning curves", curves.section),
        ("held-out", "On held-out clips", held_out.section),
        ("mistakes", "Mistakes", mistakes.section),
        ("labels", "Labels to check", quality.suspects),
        ("compared", "Networks compared", compared.section),
        ("models", "Models by mean AUC", models.section),
        ("classes", "Class by class", compared.classes),
        ("layers", "The searched layers", supernet.layers),
        ("network", "The chosen network", network.section),
        ("trials", "Trials", search.candidates),
        ("export", "Exported files", exported.section),
        ("streams", "On streams", streams.section),
        ("folds", "Folds", held_out.folds),
        ("selection", "What was selected on what", selection.section),
    )
    name = str(run.settings.get("name") or path.name)
    sections = [(id, title, _content(run, make)) for id, title, make in contents]
    shown = [(id, title, inner) for id, title, inner in sections if inner is not None]
    return document(name, "Report of a kerasnas search", shown)


def _damage(run: Run) -> Markup | None:
    """Every file that is empty or was changed; None where all can be read."""
    found = [tag("li", within(run, reason)) for reason in damaged(run.paths.path)]
    if not found:
        return None
    missing = paragraph("What these files hold is left out of this page.")
    return join([tag("ul", *found), missing])


def _content(run: Run, make: Callable[[Run], Markup | None]) -> Markup | None:
    """Return what a section holds, or why it is empty; None where the run has no use for it."""
    try:
        return make(run)
    except MissingError as missing:
        return note(str(missing))
