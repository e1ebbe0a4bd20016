"""Small synthetic data in the layout of a public data set, to try an experiment before fetching it.

    python examples/synthetic_layouts.py chime_home DIR [--clips 120]
    kerasnas search configs/liu_zhang_2020.yaml --data DIR

Lengths, rates and channels are those of the public recordings, as are SINS' four folds; what is
learned from them says nothing about these. SINS' evaluation set goes beside DIR, as
`DCASE2018-task5-eval`.
"""

import argparse
from pathlib import Path

from kerasnas.datasets.synthetic.layouts import WRITERS, write


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("layout", choices=WRITERS)
    parser.add_argument("directory", type=Path)
    parser.add_argument(
        "--clips", type=int, default=120, help="50 or more: every fold, or list, has every class"
    )
    arguments = parser.parse_args()
    write(arguments.layout, arguments.directory, arguments.clips)


if __name__ == "__main__":
    main()
