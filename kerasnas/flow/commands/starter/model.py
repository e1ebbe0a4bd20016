"""The search space of a starter experiment: one that recordings and minutes suffice for."""

from __future__ import annotations

from pathlib import Path

from kerasnas.datasets.survey import Survey
from kerasnas.flow.commands.starter.request import Request
from kerasnas.flow.commands.starter.text import quoted

_SPACES = {
    "wu_lee": """\
  stem_strides: [2, 2]
  stem_filters: [8, 32]  # wider stems take most of the time
  pooling: statistics
""",
    "liu_zhang": """\
  filters: [8, 16, 32]
  recurrent_units: 32
""",
    "li": """\
  layers: [1, 2]
  units: [16, 32, 64, 128]
  summaries: [last]  # the dense layers behind all frames would not fit
  dense_layers: [0, 1]
  dense_units: [32, 64, 128]
""",
    "li_gated": """\
  blocks: [1, 2]
  filters: [4, 8]
  kernels: [3]
  pooled_filters: [16, 32]
  units: [16, 32, 64]
""",
    "nasc": """\
  stem_filters: 8
  stem_strides: [2, 2]
  stages:
    - {filters: 12, layers: 2, strides: [2, 2]}
    - {filters: 16, layers: 3, strides: [2, 2]}
    - {filters: 24, layers: 4}
  frequency_filters: 64
  recurrent_layers: 0  # the mean over the frames, which costs no time
  dense_units: 64
""",
}
_TEXTURE_BYTES = 1200  # for each class, in float16
_TEXTURE = "  texture: true  # also reads statistics over time, as a baseline does\n"


def model(survey: Survey, request: Request) -> str:
    """Return the lines of `model`."""
    space = _SPACES.get(request.space, "")
    if request.space == "wu_lee" and _TEXTURE_BYTES * survey.classes <= request.budget / 4:
        space += _TEXTURE
    if request.pretrained is not None:
        return _pretrained(request.pretrained, request, space)
    return f"  space: {request.space}\n{space}"


def _pretrained(file: Path, request: Request, scratch: str) -> str:
    frames, bins = (_stride(size) for size in request.input_shape[:2])
    scratch = scratch.replace("stem_strides: [2, 2]", f"stem_strides: [{frames}, {bins}]")
    nested = "".join(f"    {line}\n" for line in scratch.splitlines())
    cuts = ", ".join(map(str, request.cuts))
    return f"""\
  space: pretrained
  file: {quoted(str(file))}
  cuts: [{cuts}]  # blocks of the file behind which its trunk may end
  from_scratch:  # validation clips decide whether the file helps
    share: 0.2
    model:
      space: {request.space}
{nested}"""


def _stride(size: int) -> int:
    """Return a stem's stride that leaves enough for four poolings, and no more than they need."""
    return next(stride for stride in (4, 2, 1) if size >= 32 * stride or stride == 1)
