"""What was chosen on which clips, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerasnas.report.html.elements import Markup, Node, join, note, paragraph, table, tag
from kerasnas.report.html.formats import counted, metric
from kerasnas.report.reading import required
from kerasnas.report.sections.trunk import trunk_settings
from kerasnas.runs.records import Recipes
from kerasnas.runs.run import Run
from kerasnas.words import words


def section(run: Run) -> Markup:
    """Each thing that was chosen or fitted, and the clips by which; the whole experiment."""
    settings = run.settings
    stops = ((settings.get("training") or {}).get("final") or {}).get("patience") is not None
    several = bool((settings.get("data") or {}).get("multi_label"))
    what, were = "the architecture", "was"
    if run.paths.recipes.is_file():
        what, were = "the architecture and the recipe", "were"
    criteria = [
        ("The architecture", f"validation clips: {_validation(settings)}"),
        *_recipe(run),
        *_trunk(run),
        (
            "Weights of candidates",
            "the supernet's: training clips" if run.inherits else "training clips",
        ),
        (
            "Weights of winners",
            "training clips; the validation clips tell when to stop, and which epoch to keep"
            if stops
            else "all clips that are not tested on, last epoch",
        ),
        ("Ranges of the integer file", "clips that the winner was trained on"),
        ("Decision threshold", _threshold(several, stops)),
        (
            "Held-out clips",
            f"{what}, since split.validation is test_list: figures of the searched network are "
            "optimistic. Nothing else was chosen on them"
            if run.chosen_on_test
            else "nothing. They are only scored here"
            + ("" if run.inherits else ", and in the column of trials, which no choice looks at"),
        ),
    ]
    listed = [item for name, text in criteria for item in (tag("dt", name), tag("dd", text))]
    return join(
        [
            paragraph(
                f"Held-out figures are optimistic: {what} {were} chosen on the same clips "
                "(split.validation: test_list)."
                if run.chosen_on_test
                else "Held-out figures come from clips that nothing was chosen on. Validation "
                "figures are those that the choice was made by, and flatter the best candidates."
            ),
            tag("dl", *listed, class_="selection"),
            tag(
                "details",
                tag("summary", "The experiment, with every default filled in"),
                tag("pre", run.text),
            ),
        ]
    )


def recipes(run: Run) -> Markup | None:
    """Return the recipes that were tried before the search; None where none were."""
    if not run.paths.recipes.is_file():
        return None
    found = required(run, Recipes, run.paths.recipes, "")
    names = list(dict.fromkeys(name for each in found.tried for name in each.metrics))
    names = [name for name in names if name != "scored_classes"]
    rows: list[list[Node]] = [
        [
            each.name,
            "failed" if each.loss is None else f"{each.loss:.3f}",
            "–" if each.difference is None else f"{each.difference:.3f} ± {each.deviation:.3f}",
            *(metric(name, each.metrics.get(name)) for name in names),
        ]
        for each in found.tried
    ]
    names_tried = [each.name for each in found.tried]
    chosen = names_tried.index(found.chosen)
    epochs = (
        "as many as a final training has"
        if found.epochs == found.final_epochs
        else f"of {found.final_epochs} of a final training, so that the comparison takes about a "
        "quarter of the search's time"
    )
    drawn = len({name.partition(" + ")[2] for name in names_tried}) > 1
    how = "The mildest recipe"
    if drawn:
        how = (
            "Ways to draw the classes were compared first, with the mildest augmentation; then "
            "augmentations. In each comparison the mildest recipe"
        )
    heads = ["recipe", "loss by clip", "above the best", *map(words, names)]
    return join(
        [
            table("Recipes on the validation clips", heads, rows, marked=[chosen]),
            note(
                f"One network ({found.network}) was trained by each recipe on {found.examples} "
                f"examples for {counted(found.epochs, 'epoch')}, {epochs}. {how} "
                "within one standard error (±) of the best is used, for candidates and winners."
            ),
        ]
    )


def _recipe(run: Run) -> list[tuple[str, str]]:
    """Return what recipes that were tried add to the list; nothing where none were."""
    if not run.paths.recipes.is_file():
        return []
    return [
        (
            "The recipe (augmentation, and how classes are drawn)",
            "the same validation clips, by one network, before the search",
        )
    ]


def _trunk(run: Run) -> list[tuple[str, str]]:
    """Return what pretrained trunks add to the list; nothing of other searches."""
    if trunk_settings(run) is None:
        return []
    return [
        (
            "Channels that are kept, and the penalty",
            "training clips: channels without their labels, the penalty by folds of them",
        ),
        (
            "kerasnas train --folds",
            "searches anew without each fold: nothing is chosen on the clips that score it",
        ),
    ]


def _threshold(several: bool, stops: bool) -> str:
    if not several:
        return "none is chosen: the highest score counts"
    if stops:
        return (
            "0.5 for each tag; tuned F1 takes the threshold of each tag that is best on the "
            "validation clips which the final training kept back"
        )
    return "none is chosen: 0.5 for each tag"


def _validation(experiment: Mapping[str, Any]) -> str:
    split = experiment.get("split") or {}
    by, folds = split.get("by"), (experiment.get("search") or {}).get("folds")
    held_out = f"; held out is fold {split.get('test_fold')}" if by == "fold" else ""
    if folds is not None:
        return f"{_folds(folds)} of the clips that are not held out{held_out}"
    if by == "fold" and split.get("validation_fold") is not None:
        return f"fold {split['validation_fold']}{held_out}"
    if split.get("validation") == "test_list":
        return "those that networks are tested on, with training on all others"
    fraction = split.get("validation_fraction")
    share = "a part" if fraction is None else f"{100 * float(fraction):g} %"
    if by == "fold":
        return f"{share} of the training folds{held_out}"
    rest = f"{share} of the clips that are not held out, stratified, groups kept together"
    if by == "split":
        return f"those that the data set's list names, or else {rest}"
    return rest


def _folds(folds: Any) -> str:
    """`search.folds` in words."""
    if isinstance(folds, list) and len(folds) == 1:
        return f"fold {folds[0]}, with training on the other folds,"
    if isinstance(folds, list):
        which = f"folds {', '.join(map(str, folds))}"
    else:
        which = "all folds" if folds == "all" else f"{folds} folds made for this"
    return f"each of {which} in turn, with training on the others and the mean taken,"
