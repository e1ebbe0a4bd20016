"""The front end of a starter experiment: how long a clip is, and how finely it is looked at."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

from kerasnas.datasets.survey import SILENT, Lengths, Survey
from kerasnas.flow.commands.starter.text import indented, quoted

# Padding beyond this share is told apart from sound: nothing may move it into the sound.
FULL = 0.01

# Above this rate a phone's microphone brings little, and features cost more.
_HIGHEST_RATE = 32_000
_SHORTEST, _LONGEST = 0.05, 10.0
_FRAMES, _FEWEST_FRAMES, _MOST_FRAMES = 80, 40, 160
_LONGEST_HOP = 0.04  # seconds
# Mel bands: up to 8 kHz, and beyond.
_BANDS, _MORE_BANDS, _NARROW = 40, 64, 16_000
_COVERED = 0.95
# From this mean share of the recordings on, cutting their silent ends is worth a thought.
_SILENT_SHARE = 0.05
_COMMENT = 96  # letters of a line


def clip_seconds(survey: Survey) -> float:
    """Return the length of a clip: of the longest recording, unless few are so much longer.

    95 % of the recordings are not cut, and none is where that makes clips a quarter longer at most.
    """
    return _covering(survey.lengths)


def _covering(lengths: Lengths) -> float:
    covering = lengths.quantile(_COVERED)
    seconds = lengths.longest if lengths.longest <= 1.25 * covering else covering
    return min(max(_SHORTEST, math.ceil(20 * seconds - 1e-6) / 20), _LONGEST)


def features(survey: Survey, pretrained: Path | None = None) -> str:
    """Return the lines of `features`; of a pretrained network those that its file names."""
    if pretrained is not None:
        return indented(
            [
                "kind: log_mel",
                f"like: {quoted(str(pretrained))}  # what the file makes of a waveform",
                f"seconds: {clip_seconds(survey):g}",
                *_trim(survey),
            ]
        )
    rate, seconds, lengths = min(survey.rate, _HIGHEST_RATE), clip_seconds(survey), survey.lengths
    samples = round(rate * seconds)
    n_fft = 2 ** (min(round(rate * 0.04), samples).bit_length() - 1)
    hop = max(min(n_fft // 4, samples // _FEWEST_FRAMES), samples // _FRAMES, 1)
    hop = max(min(hop, round(rate * _LONGEST_HOP)), samples // _MOST_FRAMES)
    n_fft = max(n_fft, 2 ** (hop - 1).bit_length())  # no sample is skipped
    cut = lengths.cut(seconds)
    kept = f"{cut} cut at the end" if cut else "none is cut"
    padding = lengths.padding(seconds)
    filled = f"; padding: {padding:.0%}" if padding >= FULL else ""
    others = f" ({_rates(survey)})" if len(survey.rates) > 1 else ""
    return indented(
        [
            f"sample_rate: {rate}  # recordings: {survey.rate} Hz{others}",
            f"seconds: {seconds:g}  # recordings: {lengths.shortest:.2f} to "
            f"{lengths.longest:.2f} s, median {lengths.quantile(0.5):.2f} s; {kept}{filled}",
            *_trim(survey),
            f"n_fft: {n_fft}",
            f"hop_length: {hop}  # {1 + samples // hop} frames",
            f"mel_bins: {_BANDS if rate <= _NARROW else _MORE_BANDS}",
        ]
    )


def _trim(survey: Survey) -> list[str]:
    """Return lines that offer to cut silent ends; none where few recordings have any."""
    levels = survey.levels
    if levels.silent_share < _SILENT_SHARE:
        return []
    rest, seconds = levels.sounding, _covering(levels.sounding)
    text = (
        f"{levels.silent_ends} of the {len(levels.peaks)} recordings that were listened to begin "
        f"or end with silence ({levels.silent_share:.0%} of the length of all). To cut it, add "
        f"trim: {SILENT:g}, which counts samples so many dB below a recording's largest as silent; "
        f"{rest.shortest:.2f} to {rest.longest:.2f} s are left then"
    )
    if seconds < _covering(levels.lengths):
        text += f", seconds: {seconds:g} would hold nearly all of them, and networks cost less"
    text += (
        ". It is not set, since scores may not change by it, and whatever runs the network has to "
        "cut silence, too: files that take waveforms cannot. It needs pip install 'kerasnas[tfio]'."
    )
    return [f"# {line}" for line in textwrap.wrap(text, _COMMENT)]


def _rates(survey: Survey) -> str:
    counts = sorted(survey.rates.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{rate} Hz: {count}" for rate, count in counts[:4])
