"""Small synthetic data in the layout of a public data set, to try an experiment before fetching it.

    python examples/synthetic_layouts.py chime_home DIR [--clips 120]
    kerasnas search configs/liu_zhang_2020.yaml --data DIR

Lengths, rates and channels are those of the public recordings, as are SINS' four folds; what is
learned from them says nothing about these. SINS' evaluation set goes beside DIR, as
`DCASE2018-task5-eval`.
"""

import argparse
from pathlib import Path

from kerasnas.datasets import SyntheticSettings
from kerasnas.datasets.synthetic import embeddings, mixtures

RECORDINGS = {
    "audiofolder": (mixtures.write_audiofolder, {"seconds": 2, "sample_rate": 16_000}),
    "esc50": (mixtures.write_esc50, {"seconds": 5, "sample_rate": 44_100}),
    "chime_home": (mixtures.write_chime_home, {"seconds": 4, "sample_rate": 16_000}),
    "sins": (
        mixtures.write_sins,
        {"seconds": 10, "sample_rate": 16_000, "channels": 4, "folds": 4},
    ),
    "tau2020_3class": (
        mixtures.write_tau2020_3class,
        {"seconds": 10, "sample_rate": 48_000, "channels": 2, "subtype": "PCM_24"},
    ),
}


def write(layout: str, root: Path, clips: int) -> None:
    """Write `clips` clips: a key of `RECORDINGS`, or `audioset`, embeddings of two parts."""
    if layout == "audioset":
        parts = {"bal_train": clips - clips // 4, "eval": clips // 4}
        embeddings.write(root, mixtures.CLASSES, parts)
        return
    writer, recorded = RECORDINGS[layout]
    settings = SyntheticSettings.model_validate({"clips": clips, **recorded})
    writer(root, settings)
    if layout == "sins":
        beside = root.absolute().parent / "DCASE2018-task5-eval"
        mixtures.write_sins(beside, settings.model_copy(update={"seed": 1}), evaluation=True)


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("layout", choices=[*RECORDINGS, "audioset"])
    parser.add_argument("directory", type=Path)
    parser.add_argument(
        "--clips", type=int, default=120, help="50 or more: every fold, or list, has every class"
    )
    arguments = parser.parse_args()
    write(arguments.layout, arguments.directory, arguments.clips)


if __name__ == "__main__":
    main()
