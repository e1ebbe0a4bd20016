"""Where real recordings are found; tests that need them are skipped without them."""

import os
from pathlib import Path

import pytest


def esc10_root() -> Path:
    """ESC-10 in ESC-50's layout: `$KERASNAS_ESC10`, or `../shared/data/esc10` beside the checkout.

    Skips the calling test when there is neither.
    """
    given = os.environ.get("KERASNAS_ESC10")
    root = Path(given) if given else Path(__file__).parents[2] / "shared" / "data" / "esc10"
    if not (root / "meta" / "esc50.csv").is_file():
        pytest.skip(f"no ESC-10 recordings in {root}; set KERASNAS_ESC10 to their directory")
    return root


def yamnet_file() -> Path:
    """YAMNet as a `.tflite` file: `$KERASNAS_YAMNET`, or `../shared/data/yamnet/yamnet.tflite`.

    Skips the calling test when there is neither.
    """
    given = os.environ.get("KERASNAS_YAMNET")
    path = Path(__file__).parents[2] / "shared" / "data" / "yamnet" / "yamnet.tflite"
    path = Path(given) if given else path
    if not path.is_file():
        pytest.skip(f"no YAMNet in {path}; set KERASNAS_YAMNET to a yamnet.tflite")
    return path
