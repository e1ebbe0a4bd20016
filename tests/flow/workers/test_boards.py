"""Event files of trainings, read as TensorBoard reads them."""

import subprocess
import sys
from pathlib import Path

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.flow.workers.boards import Boards
from kerasnas.tuners import Gene
from kerasnas.tuners.runners.base import Failed, Finished, Progress, Started

GENES = (
    Gene("blocks", values=(2, 3)),
    Gene("kind", values=("dsc3", "ir3")),
    Gene("rate", span=(0.1, 0.9, "linear")),
)
VALUES = {"blocks": 2, "kind": "ir3", "rate": 0.5, "separable": True, "bytes": 1234.0}
RESULT = {
    "metrics": {"accuracy": 0.75, "loss": 0.5, "test_accuracy": 0.9},
    "macs": 7,
    "int8_bytes": 9,
}
TRIAL = "tensorboard/trials/0000"


def read(directory: Path):
    """Return what TensorBoard finds in one directory."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(directory)).Reload()


def scalars(directory: Path) -> dict[str, list[tuple[int, float]]]:
    found = read(directory)
    return {
        tag: [(each.step, each.value) for each in found.Tensors(tag)]
        if tag in found.Tags()["tensors"]
        else [(each.step, each.value) for each in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def hparams(directory: Path, tag: str):
    """Return what the HParams plugin finds under a tag."""
    from tensorboard.plugins.hparams import metadata

    content = read(directory).SummaryMetadata(tag).plugin_data.content
    return getattr(metadata, f"parse_{tag.removeprefix('_hparams_/')}_plugin_data")(content)


def epoch(step: int, loss: float) -> Progress:
    return Progress("0000", 0, step, {"loss": loss, "val_loss": 2 * loss})


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    boards = Boards(tmp_path)
    boards.describe(GENES, ("accuracy", "loss", "macs"))
    boards.announce("0000", tmp_path / "trials" / "0000", VALUES)
    return boards


def test_a_training_is_seen_while_it_runs(boards: Boards, tmp_path: Path) -> None:
    boards.on_event(Started("0000", 0, 1, "here"))
    boards.on_event(epoch(1, 0.5))
    assert scalars(tmp_path / TRIAL) == {"epoch/loss": [(1, 0.5)], "epoch/val_loss": [(1, 1.0)]}
    boards.on_event(epoch(2, 0.25))
    boards.on_event(Finished("0000", 0, RESULT, 1.0, 10))
    assert scalars(tmp_path / TRIAL) == {
        "epoch/loss": [(1, 0.5), (2, 0.25)],
        "epoch/val_loss": [(1, 1.0), (2, 0.5)],
        "objective/accuracy": [(2, 0.75)],
        "objective/loss": [(2, 0.5)],
        "cost/macs": [(2, 7)],
        "cost/int8_bytes": [(2, 9)],
    }


def test_the_table_of_trials_has_genes_objectives_and_costs(boards: Boards, tmp_path: Path) -> None:
    boards.on_event(Started("0000", 0, 1, "here"))
    start = hparams(tmp_path / TRIAL, "_hparams_/session_start_info")
    told = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert told == VALUES
    boards.on_event(Failed("0000", 0, "died", "", "crash", 1.0))
    assert hparams(tmp_path / TRIAL, "_hparams_/session_end_info").status == 2  # failure
    table = hparams(tmp_path / "tensorboard", "_hparams_/experiment")
    assert [info.name for info in table.hparam_infos] == ["blocks", "kind", "rate"]
    domain = table.hparam_infos[1].domain_discrete
    assert [each.string_value for each in domain.values] == ["dsc3", "ir3"]
    tags = [info.name.tag for info in table.metric_infos]
    assert tags[:3] == ["objective/accuracy", "objective/loss", "cost/parameters"]


def test_a_training_that_begins_again_replaces_what_it_wrote(
    boards: Boards, tmp_path: Path
) -> None:
    boards.on_event(Started("0000", 0, 1, "here"))
    boards.on_event(epoch(1, 0.5))
    boards.on_event(Failed("0000", 0, "lost", "", "lost", 1.0))
    boards.on_event(Started("0000", 0, 2, "here"))
    boards.on_event(epoch(1, 0.125))
    boards.close()
    assert scalars(tmp_path / TRIAL)["epoch/loss"] == [(1, 0.125)]


def test_trainings_of_the_run_itself_and_unknown_ones(boards: Boards, tmp_path: Path) -> None:
    boards.announce("supernet", tmp_path, {})
    for id in ("supernet", "nobody"):
        boards.on_event(Started(id, 0, 1, "here"))
        boards.on_event(Progress(id, 0, 1, {"loss": 0.5}))
        boards.on_event(Finished(id, 0, {"metrics": {}}, 1.0, 10))
    assert scalars(tmp_path / "tensorboard" / "supernet") == {"epoch/loss": [(1, 0.5)]}
    assert {path.name for path in (tmp_path / "tensorboard").iterdir() if path.is_dir()} == {
        "supernet"
    }


def test_nothing_is_written_where_it_is_not_wanted(tmp_path: Path) -> None:
    boards = Boards(tmp_path, wanted=False)
    boards.describe(GENES, ("accuracy",))
    boards.announce("0000", tmp_path / "trials" / "0000", VALUES)
    boards.on_event(Started("0000", 0, 1, "here"))
    boards.on_event(epoch(1, 0.5))
    boards.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(boards: Boards, tmp_path: Path) -> None:
    (tmp_path / "tensorboard" / "trials").write_text("in the way")
    with pytest.raises(KerasnasError, match="report.tensorboard: false does without"):
        boards.on_event(Started("0000", 0, 1, "here"))


def test_the_process_of_a_search_needs_no_tensorflow_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from kerasnas.flow.workers.boards import Boards\n"
        "from kerasnas.tuners.runners.base import Finished, Progress, Started\n"
        f"run = Path({str(tmp_path)!r}); boards = Boards(run); boards.describe([], ['accuracy'])\n"
        "boards.announce('a', run / 'winners' / 'a', {'width': 3})\n"
        "boards.on_event(Started('a', 0, 1, 'here'))\n"
        "boards.on_event(Progress('a', 0, 1, {'loss': 1.0}))\n"
        "boards.on_event(Finished('a', 0, {'metrics': {'loss': 1.0}}, 1.0, 1))\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert any((tmp_path / "tensorboard" / "winners" / "a").iterdir())
