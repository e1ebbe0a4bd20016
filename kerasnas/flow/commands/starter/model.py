"""The search space of a starter experiment: one that recordings and minutes suffice for."""

from __future__ import annotations

import textwrap
from pathlib import Path

from kerasnas.datasets.survey import Survey
from kerasnas.flow.commands.starter.request import Request
from kerasnas.flow.commands.starter.text import quoted


def model(survey: Survey, request: Request) -> str:
    """Return the lines of `model`."""
    space = request.paper.starter(survey.classes, request.budget)
    if request.pretrained is not None:
        return _pretrained(request.pretrained, request, space)
    return f"  space: {request.space}\n{textwrap.indent(space, '  ')}"


def _pretrained(file: Path, request: Request, scratch: str) -> str:
    frames, bins = (_stride(size) for size in request.input_shape[:2])
    scratch = scratch.replace("stem_strides: [2, 2]", f"stem_strides: [{frames}, {bins}]")
    cuts = ", ".join(map(str, request.cuts))
    return f"""\
  space: pretrained
  file: {quoted(str(file))}
  cuts: [{cuts}]  # blocks of the file behind which its trunk may end
  from_scratch:  # validation clips decide whether the file helps
    share: 0.2
    model:
      space: {request.space}
{textwrap.indent(scratch, "      ")}"""


def _stride(size: int) -> int:
    """Return a stem's stride that leaves enough for four poolings, and no more than they need."""
    return next(stride for stride in (4, 2, 1) if size >= 32 * stride or stride == 1)
