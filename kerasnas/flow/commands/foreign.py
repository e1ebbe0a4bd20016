"""Files from elsewhere that take a waveform: sample rate and labels are in their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from kerasnas.errors import KerasnasError


@dataclass(frozen=True)
class WaveformClip:
    """Clips of a file whose front end, if it has one, is inside; mono.

    Attributes:
        sample_rate: Hz.
        samples: Of a clip.
    """

    sample_rate: int
    samples: int
    pad: ClassVar[Literal["zeros"]] = "zeros"
    file_channels: ClassVar[int] = 1
    trim: ClassVar[None] = None

    @property
    def seconds(self) -> float:
        """Length of a clip."""
        return self.samples / self.sample_rate


def read_foreign(model: Path) -> tuple[WaveformClip, tuple[str, ...]]:
    """Return what a `.tflite` file says of itself: its clips and its labels.

    Raises:
        KerasnasError: It takes no waveform of a fixed length, or does not say all of this.
        ExportError: It is damaged, or no `.tflite` file.
    """
    from kerasnas.export.flatbuffer.reading import metadata_of, open_graph, shape_of

    file = open_graph(model)
    shapes = [shape_of(file.main, int(index)) for index in file.main.t.inputs]
    shape = shapes[0] if len(shapes) == 1 else ()
    if shape[:-1] not in ((), (1,)) or not shape or shape[-1] < 2:
        takes = ", ".join(map(str, shapes)) or "nothing"
        raise KerasnasError(
            f"it takes {takes}, and no waveform of a fixed length, (samples,) or (1, samples)"
        )
    metadata = metadata_of(file, model.read_bytes())
    if metadata.sample_rate is None or not metadata.labels:
        has = "a sample rate" if metadata.sample_rate else "labels" if metadata.labels else ""
        raise KerasnasError(f"its metadata have {f'only {has}' if has else 'neither'}")
    return WaveformClip(metadata.sample_rate, shape[-1]), metadata.labels
