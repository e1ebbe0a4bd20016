"""Pictures and pages from a run directory."""

from pathlib import Path

from kerasnas.paths import StrPath


def write(run: StrPath, gene: str | None = None) -> Path:
    """Write `report.html`, one self-contained page, from the files of a run directory.

    What the run does not hold (yet) or holds damaged is left out, and the page says so. Where files
    were exported, `MODEL_CARD.md` is written as well.

    Args:
        run: The run directory.
        gene: The decision whose values are compared; None takes the one that the search space
            names, or else the first with few values.

    Returns:
        The path of the page.

    Raises:
        KerasnasError: `run` is no run directory or cannot be written to, its journal is damaged, or
            it has no such gene.
    """
    from kerasnas.files import write_atomically
    from kerasnas.report.model_card import model_card
    from kerasnas.report.page import page
    from kerasnas.runs.layout import RunPaths

    run = Path(run)
    paths = RunPaths(run)
    write_atomically(paths.report, page(run, gene), durable=False)
    if (card := model_card(run)) is not None:
        write_atomically(paths.model_card, card, durable=False)
    return paths.report
