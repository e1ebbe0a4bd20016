"""What is wrong with the chosen network, and what it has to beat."""

from __future__ import annotations

from kerasnas.report.html.elements import Markup, Node, badge, join, note, table, tag
from kerasnas.report.html.formats import counted, metric
from kerasnas.report.reading import MissingError, optional, required
from kerasnas.runs.records import Baselines, BaselineScores, FindingEntry, Findings, Recipes
from kerasnas.runs.run import Run
from kerasnas.words import words

CHANCE = "chance"
REGRESSION = "logistic regression"


def findings(run: Run) -> list[FindingEntry]:
    """Return what is wrong with the network, serious findings first; none where that is unknown."""
    try:
        found = optional(run, Findings, run.paths.findings)
    except MissingError:
        return []  # the page says so at its top
    return [] if found is None else found.told()


def is_good(run: Run) -> bool:
    """Whether the network was reviewed and nothing serious found: only then a tick may be shown."""
    try:
        found = optional(run, Findings, run.paths.findings)
    except MissingError:
        return False  # the page says so at its top
    return found is not None and not found.serious


def warnings(run: Run) -> Markup:
    """Every finding, a line each, the most serious first; nothing where there are none."""
    found = findings(run)
    lines = [badge(False if each.serious else None, f"{each.sentence}.") for each in found]
    return join(tag("p", line) for line in lines)


def tick(run: Run, passed: bool | None, text: str) -> Node:
    """Return a verdict, without a tick where the network has a serious finding."""
    return text if passed and not is_good(run) else badge(passed, text)


def held_out_baselines(run: Run) -> BaselineScores | None:
    """Return what the baselines score on test clips; None where that is not known."""
    try:
        found = optional(run, Baselines, run.paths.baselines)
    except MissingError:
        return None  # the page says so at its top
    return None if found is None else found.parts.get("test")


def baseline_rows(run: Run, names: list[str]) -> list[list[Node]]:
    """Return a row of metrics for each baseline, the best last."""
    part = held_out_baselines(run)
    if part is None:
        return []
    scored = {
        CHANCE: part.chance,
        majority_name(part): part.majority,
        REGRESSION: part.regression.metrics,
    }
    return [
        [name, *(metric(each, metrics.get(each)) for each in names)]
        for name, metrics in scored.items()
    ]


def majority_name(part: BaselineScores) -> str:
    """Return what to call the baseline that answers with the classes' frequencies."""
    if part.regression.confusion is None:
        return "the tags' frequencies"
    return f"always {part.regression.classes[int(part.frequencies.argmax())]}"


def suspects(run: Run) -> Markup | None:
    """Training clips whose labels are suspected to be wrong; None without any."""
    found = optional(run, Baselines, run.paths.baselines)
    if found is None or not found.suspects:
        return None
    shown = f"{len(found.suspects)} of {found.suspected}"
    return join(
        [
            note(
                "A logistic regression that was fitted to other training clips is surer of another "
                "label than of the one given. Listen to these clips before you change a label: "
                "where classes are hard to tell apart, many of them are labelled rightly."
            ),
            table(
                f"Training clips to listen to, the most suspect first ({shown})",
                ["clip", "label given", "label suggested", "margin"],
                [
                    [
                        each.id,
                        ", ".join(each.given) or "none",
                        ", ".join(each.suggested) or "none",
                        f"{each.margin:.2f}",
                    ]
                    for each in found.suspects
                ],
                text_columns=(0, 1, 2),
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
