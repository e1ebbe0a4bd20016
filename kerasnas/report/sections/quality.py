"""What is wrong with the chosen network, and what it has to beat."""

from __future__ import annotations

from kerasnas.report.html.elements import Markup, Node, badge, join, note, table, tag
from kerasnas.report.html.formats import metric
from kerasnas.report.reading import MissingError, optional
from kerasnas.runs.records import Baselines, BaselineScores, FindingEntry, Findings
from kerasnas.runs.run import Run

CHANCE = "chance"
REGRESSION_ROW = "logistic regression"


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
        REGRESSION_ROW: part.regression.metrics,
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
