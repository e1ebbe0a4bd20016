"""The whole of a starter experiment."""

from __future__ import annotations

from kerasnas.datasets import LayoutSettings, Split, SplitSettings
from kerasnas.datasets.survey import Survey
from kerasnas.experiment import Experiment
from kerasnas.flow.commands.starter.features import features
from kerasnas.flow.commands.starter.model import model
from kerasnas.flow.commands.starter.request import Request
from kerasnas.flow.commands.starter.search import search
from kerasnas.flow.commands.starter.text import indented, quoted
from kerasnas.flow.commands.starter.training import training


def starter(
    name: str,
    data: LayoutSettings,
    split: SplitSettings,
    survey: Survey,
    parts: Split,
    request: Request,
) -> str:
    """Return the experiment as YAML.

    Args:
        name: Of the experiment.
        data: The data set.
        split: How it is parted.
        survey: What it is like.
        parts: The clips that candidates are trained on, and so on.
        request: What the user asks for.
    """
    return f"""\
# Written by `kerasnas init` for {survey.clips} clips of {survey.classes} classes.
schema: {Experiment.model_fields["schema_version"].default}
name: {quoted(name)}
data:
{_data(data, survey)}\
split:
{_split(split, survey)}\
features:
{features(survey, request.pretrained)}\
model:
{model(survey, request)}\
search:
{search(survey, len(parts.train), request)}\
training:
{training(survey, parts, request)}\
export:
  budget: {request.budget}  # bytes of each file
"""


def _data(data: LayoutSettings, survey: Survey) -> str:
    why = {
        "group_by": f"  # {survey.groups} groups by the names of the files; remove this if they "
        "are none",
        "multi_label": "  # a clip may carry several labels, or none",
    }
    told = {"dataset", "root"}
    options = data.model_dump(mode="json", exclude=told, exclude_defaults=True)
    lines = [f"{name}: {quoted(value)}{why.get(name, '')}" for name, value in options.items()]
    return indented([f"dataset: {data.dataset}", f"root: {quoted(str(data.root))}", *lines])


def _split(split: SplitSettings, survey: Survey) -> str:
    if split.by == "fold":
        return indented(
            ["by: fold", f"test_fold: {quoted(split.test_fold)}  # nothing is chosen on this fold"]
        )
    if split.by == "split":
        return indented(["by: split  # the data set's own"])
    if survey.groups:
        return indented(
            [f"by: fractions  # stratified; none of the {survey.groups} groups is parted"]
        )
    return indented(
        [
            "# No groups are known: clips of one speaker or recording may be in both train and",
            "# test, and scores too high. Add a `group` column to a CSV of the clips.",
            "by: fractions  # stratified",
        ]
    )
