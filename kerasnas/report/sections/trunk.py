"""The file whose first blocks the chosen network begins with: what it is, and its licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasnas.report.html.elements import Markup, join, paragraph, tag
from kerasnas.report.html.formats import counted, metric
from kerasnas.report.reading import MissingError, chosen, optional, training_of, winners
from kerasnas.runs.records import FineTuned
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial, value_of
from kerasnas.words import words

_SCRATCH = "scratch"


def trunk_settings(run: Run) -> Mapping[str, Any] | None:
    """Return the settings of a search over pretrained trunks; None of another one."""
    model = run.settings.get("model") or {}
    return model if model.get("space") == "pretrained" else None


def begins_with_a_trunk(run: Run, trial: Trial | None) -> bool:
    """Whether a trial's network has weights of the file, where both kinds were searched."""
    if trunk_settings(run) is None:
        return False
    return trial is None or trial.values.get("start") != _SCRATCH


def origin(run: Run, trial: Trial | None) -> str | None:
    """Return which file a network begins with, its SHA-256 and licence; None of another one."""
    settings = trunk_settings(run)
    if settings is None or not begins_with_a_trunk(run, trial):
        return None
    licence = settings.get("licence")
    said = licence or "the file states none: see the page that it comes from"
    return (
        f"with a pretrained network: its first blocks are those of {Path(settings['file']).name} "
        f"(SHA-256 {settings['sha256']}; licence: {said.rstrip('.')})"
    )


def section(run: Run) -> Markup | None:
    """Return the file, and candidates with it beside those from scratch; None of other searches."""
    settings = trunk_settings(run)
    if settings is None:
        return None
    try:
        trial = run.trials.numbered(chosen(run).trial)
    except MissingError:
        trial = None
    told = origin(run, trial)
    sentences = [f"The chosen network was made {told or 'from scratch'}."]
    if (settings.get("from_scratch") or None) is not None:
        sentences += [_kind(run, start) for start in ("trunk", _SCRATCH)]
    if (tuned := _fine_tuned(run)) is not None:
        sentences.append(tuned)
    sentences.append(
        "Weights of the file are in the exported files: its licence holds for them. Figures with a "
        "pretrained network do not compare with figures of networks that only these recordings "
        "trained."
    )
    return join(
        [
            tag("dl", tag("dt", "File"), tag("dd", str(settings["file"])), class_="selection"),
            *(paragraph(each) for each in sentences),
        ]
    )


_TRAINED = {
    "head": "the head",
    "last": "the head and the trunk's last block",
    "all": "all layers",
}


def _fine_tuned(run: Run) -> str | None:
    """Return what gentle training did to the chosen network; None where it was not tried."""
    try:
        found = optional(run, FineTuned, training_of(run, chosen(run)).fine_tuning)
    except MissingError as missing:
        return str(missing)
    if found is None:
        return None
    figures = "; ".join(
        f"{words(name)} {metric(name, value)} before and {metric(name, found.after[name])} after"
        for name, value in found.before.items()
        if name in ("loss", *run.trials.scores)
    )
    verdict = "The network has it" if found.kept else "The network is without it"
    return (
        f"Training {_TRAINED[found.layers]} further was judged on {counted(found.count, 'clip')} "
        f"that were not trained on: {figures}. {verdict}."
    )


def _kind(run: Run, start: str) -> str:
    """Return the candidates of one kind in a sentence."""
    name = "With the pretrained network" if start == "trunk" else "From scratch"
    mine = [trial for trial in run.trials.completed if trial.values.get("start") == start]
    if not mine:
        return f"{name}: no candidate was scored."
    scores = run.trials.scores
    best = ", ".join(f"{words(each)} {metric(each, value_of(mine[0], each))}" for each in scores)
    try:
        won = {winner.trial for winner in winners(run)}
    except MissingError:
        won = set()
    fitted = " (fitted with the final recipe, see Held-out clips)" if mine[0].number in won else ""
    return f"{name}: {len(mine)} candidates; the best, trial {mine[0].number}{fitted}, has {best}."
