"""Pictures and pages from a run directory."""

from pathlib import Path

from kerasnas.paths import StrPath


def write(run: StrPath, gene: str | None = None) -> Path:
    """Write `report.html`, one self-contained page, from the files of a run directory.

    What the run does not hold (yet) is left out, and the page says so. Where files were exported,
    `MODEL_CARD.md` is written as well.

    Args:
        run: The run directory.
        gene: The decision whose values are compared; None takes `growth`, or else the first
            decision with few values.

    Returns:
        The path of the page.

    Raises:
        KerasnasError: `run` is no run directory or cannot be written to, or has no such gene.
    """
    from kerasnas.files import write_atomically
    from kerasnas.report.model_card import model_card
    from kerasnas.report.page import page

    run = Path(run)
    path = run / "report.html"
    write_atomically(path, page(run, gene))
    if (card := model_card(run)) is not None:
        write_atomically(run / "MODEL_CARD.md", card)
    return path
