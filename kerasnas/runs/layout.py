"""Where the files of a run lie: every name is written here, and only here.

`export` knows no run, and has the names of the files that it writes once more, in its own `files`.

```
RUN/
  experiment.yaml  .lock  journal.jsonl  trials.csv  search.json  controller.json  threads.json
  supernet.npz  supernet.json  agreement.json  hypervolume.json  winners.json
  baselines.json  recipes.json  findings.json  excerpts.json  streams.json  mined.json
  recipes/NAME/              a training by a recipe that is tried before the search
  trials/ID/                 a training; with folds one in each fold*/; log.txt, which the runner
                             of trials (`kerasnas.tuners.runners`) writes: all that it printed
  agreement/ID/              a training from scratch, to compare ranks with
  winners/NAME/              a final training
  train/LABEL/               folds.json, baselines of folds, and final trainings with export/
  train/LABEL-ensemble/      ensemble.json, evaluation.json, and a final training in each fold*/
  export/                    the chosen network's files
  mining/                    page.html, answers.csv, clips.csv and clips/ of `kerasnas mine`
  mined/                     the run directory of the network trained again with mined clips
  random/                    the run directory of the random search beside this one
  without/FOLD-SEED/         the run directory of a search that sees no clip of a fold
  tensorboard/               event files of trainings, for TensorBoard
  package/                   the chosen network's files for others, by `kerasnas package`
  report.html  MODEL_CARD.md  networks.csv
```
A training has `architecture.json` (final ones), `history.json`, `evaluation.json` (final ones),
`fine_tuning.json` (final ones that tried it) and `model.keras`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasnas.errors import KerasnasError
from kerasnas.tuners.core.storage.journal import JOURNAL

EXPERIMENT = "experiment.yaml"
LOCK = ".lock"
TRIALS_TABLE = "trials.csv"
SEARCH = "search.json"
CONTROLLER = "controller.json"
THREADS = "threads.json"
SUPERNET = "supernet.npz"
SUPERNET_HISTORY = "supernet.json"
AGREEMENT = "agreement.json"
HYPERVOLUME = "hypervolume.json"
BASELINES = "baselines.json"
RECIPES = "recipes.json"
FINDINGS = "findings.json"
EXCERPTS = "excerpts.json"
STREAMS = "streams.json"
MINED = "mined.json"
WINNERS = "winners.json"
REPORT = "report.html"
MODEL_CARD = "MODEL_CARD.md"
NETWORKS = "networks.csv"

DESCRIPTION = "architecture.json"
HISTORY = "history.json"
EVALUATION = "evaluation.json"
FINE_TUNING = "fine_tuning.json"
MODEL = "model.keras"

FOLDS = "folds.json"
ENSEMBLE = "ensemble.json"

EXPORT = "export.json"
MADE_FROM = "made_from.json"
FRONT_END = "features.json"
THRESHOLDS = "thresholds.json"
POSTPROCESSING = "postprocessing.json"
POSTPROCESSING_HEADER = "postprocessing.h"
FILE_EVALUATIONS = "evaluation_*.json"
"""Pattern of the evaluations of exported files, whose names have the precision."""
LABELS = "labels.txt"

_ENSEMBLE = "-ensemble"
_HALF_MODEL = f".*-{MODEL}"
"""Pattern of models that are being written: the process, and the ending that Keras asks for."""

WINNER_LABEL = "winner"
"""Label of a search's chosen network below `train/`, where others have a reference's name."""


@dataclass(frozen=True)
class TrainingPaths:
    """The files of one training, in `path`."""

    path: Path

    @property
    def description(self) -> Path:
        """`architecture.json`, of a final training."""
        return self.path / DESCRIPTION

    @property
    def history(self) -> Path:
        """`history.json`: the epochs."""
        return self.path / HISTORY

    @property
    def evaluation(self) -> Path:
        """`evaluation.json`, of a final training: scores of clips that it has not seen."""
        return self.path / EVALUATION

    @property
    def fine_tuning(self) -> Path:
        """`fine_tuning.json`, of a network that begins with a trunk: what training it did."""
        return self.path / FINE_TUNING

    @property
    def model(self) -> Path:
        """`model.keras`."""
        return self.path / MODEL

    @property
    def half_model(self) -> Path:
        """Where this process writes `model.keras` before the file gets its name."""
        return self.path / _HALF_MODEL.replace("*", str(os.getpid()))

    @property
    def export(self) -> ExportPaths:
        """Files exported of it, for a training of `kerasnas train`."""
        return ExportPaths(self.path / "export")

    def require_kept(self) -> None:
        """See that the directory is there, which writing into it would make again.

        Raises:
            KerasnasError: Somebody has deleted or moved it.
        """
        if not self.path.is_dir():
            raise KerasnasError(f"{self.path} was deleted or moved during its training")

    def fold(self, name: str) -> TrainingPaths:
        """Return the training of one fold of a candidate."""
        return TrainingPaths(self.path / f"fold{name}")

    def folds(self) -> dict[str, TrainingPaths]:
        """Return the trainings of a candidate's folds that are there, by the folds' names."""
        found = sorted(self.path.glob("fold*"))
        return {each.name.removeprefix("fold"): TrainingPaths(each) for each in found}


@dataclass(frozen=True)
class ExportPaths:
    """The files of one export, in `path`; `.tflite` files have the names in `export.json`."""

    path: Path

    @property
    def report(self) -> Path:
        """`export.json`: figures and checks of the files."""
        return self.path / EXPORT

    @property
    def made_from(self) -> Path:
        """`made_from.json`: what the files were made from; written last."""
        return self.path / MADE_FROM

    @property
    def front_end(self) -> Path:
        """`features.json`: how features are computed."""
        return self.path / FRONT_END

    @property
    def thresholds(self) -> Path:
        """`thresholds.json`, of a tagger whose thresholds were chosen."""
        return self.path / THRESHOLDS

    @property
    def postprocessing(self) -> Path:
        """`postprocessing.json`, where decisions over time were tuned."""
        return self.path / POSTPROCESSING

    @property
    def postprocessing_header(self) -> Path:
        """`postprocessing.h`: the same settings in C."""
        return self.path / POSTPROCESSING_HEADER

    @property
    def labels(self) -> Path:
        """`labels.txt`: a class a line, in the order of the scores."""
        return self.path / LABELS

    def evaluation(self, precision: str) -> Path:
        """`evaluation_PRECISION.json`: scores of a file on the test clips."""
        return self.path / FILE_EVALUATIONS.replace("*", precision)


@dataclass(frozen=True)
class NetworkPaths:
    """The trainings of one network by `kerasnas train`, in `path`: `train/LABEL`."""

    path: Path

    @property
    def label(self) -> str:
        """`winner`, or the name of a reference."""
        return self.path.name

    @property
    def folds(self) -> Path:
        """`folds.json`: what all trainings scored."""
        return self.path / FOLDS

    def baselines(self, fold: str | None) -> Path:
        """`…-baselines.json`: what scores without a network where this fold is tested on."""
        return self.path / f"{_tested_on(fold)}-{BASELINES}"

    def training(self, fold: str | None, seed: int) -> TrainingPaths:
        """One training.

        Args:
            fold: The fold that is tested on; None for the experiment's test clips.
            seed: Random seed of the training.
        """
        return TrainingPaths(self.path / f"{_tested_on(fold)}-seed{seed}")

    def tested(self) -> tuple[TrainingPaths, ...]:
        """Return the trainings that are scored on the experiment's test clips, one a seed."""
        return tuple(TrainingPaths(each) for each in sorted(self.path.glob("test-seed*")))


@dataclass(frozen=True)
class EnsemblePaths:
    """The files of an ensemble by `kerasnas train --ensemble`, in `path`."""

    path: Path

    @property
    def scores(self) -> Path:
        """`ensemble.json`: metrics of the ensemble and of each member."""
        return self.path / ENSEMBLE

    @property
    def evaluation(self) -> Path:
        """`evaluation.json`: answers of the ensemble on the test clips."""
        return self.path / EVALUATION

    def member(self, fold: str) -> TrainingPaths:
        """Return the training without one fold."""
        return TrainingPaths(self.path / f"fold{fold}")


@dataclass(frozen=True)
class RunPaths:
    """The files of a run, in `path`."""

    path: Path

    @property
    def experiment(self) -> Path:
        """`experiment.yaml`, with every default filled in."""
        return self.path / EXPERIMENT

    @property
    def lock(self) -> Path:
        """`.lock`, held by the process that works in the run."""
        return self.path / LOCK

    @property
    def journal(self) -> Path:
        """`journal.jsonl`: all that happened in the search."""
        return self.path / JOURNAL

    @property
    def table(self) -> Path:
        """`trials.csv`, for people; see `kerasnas.runs.table`."""
        return self.path / TRIALS_TABLE

    @property
    def search(self) -> Path:
        """`search.json`: how the search stands."""
        return self.path / SEARCH

    @property
    def controller(self) -> Path:
        """`controller.json`: what a controller learned."""
        return self.path / CONTROLLER

    @property
    def threads(self) -> Path:
        """`threads.json`: threads of each training, fixed when the first of a group starts."""
        return self.path / THREADS

    @property
    def supernet(self) -> Path:
        """`supernet.npz`: weights that candidates inherit."""
        return self.path / SUPERNET

    @property
    def supernet_history(self) -> Path:
        """`supernet.json`: the epochs of the supernet's training."""
        return self.path / SUPERNET_HISTORY

    @property
    def agreement(self) -> Path:
        """`agreement.json`: the supernet's ranks against those of trained networks."""
        return self.path / AGREEMENT

    @property
    def hypervolume(self) -> Path:
        """`hypervolume.json`: the volume that candidates dominate, one after another."""
        return self.path / HYPERVOLUME

    @property
    def baselines(self) -> Path:
        """`baselines.json`: what scores without a network."""
        return self.path / BASELINES

    @property
    def recipes(self) -> Path:
        """`recipes.json`: the recipes that were tried, and the one that is used."""
        return self.path / RECIPES

    @property
    def findings(self) -> Path:
        """`findings.json`: what is wrong with the chosen network."""
        return self.path / FINDINGS

    @property
    def excerpts(self) -> Path:
        """`excerpts.json`: clips that the chosen network gets wrong."""
        return self.path / EXCERPTS

    @property
    def streams(self) -> Path:
        """`streams.json`: decisions over time, and how good they are on streams."""
        return self.path / STREAMS

    @property
    def mined_record(self) -> Path:
        """`mined.json`: what the streams that were mined are, and what was accepted."""
        return self.path / MINED

    @property
    def mining(self) -> Path:
        """Holds what `kerasnas mine` shows, and the clips that were accepted."""
        return self.path / "mining"

    @property
    def mined_table(self) -> Path:
        """`mining/clips.csv`: the clips that were accepted, for `data.mined`."""
        return self.mining / "clips.csv"

    @property
    def mined(self) -> RunPaths:
        """The network that was trained again with what was mined, a run directory of its own."""
        return RunPaths(self.path / "mined")

    @property
    def winners(self) -> Path:
        """`winners.json`: the candidates that were trained again."""
        return self.path / WINNERS

    @property
    def report(self) -> Path:
        """`report.html`."""
        return self.path / REPORT

    @property
    def networks_table(self) -> Path:
        """`networks.csv`, for people: the networks that were compared."""
        return self.path / NETWORKS

    @property
    def model_card(self) -> Path:
        """`MODEL_CARD.md`, beside exported files."""
        return self.path / MODEL_CARD

    @property
    def export(self) -> ExportPaths:
        """The files of the chosen network."""
        return ExportPaths(self.path / "export")

    @property
    def tensorboard(self) -> Path:
        """`tensorboard/`: event files, a directory for each training, named as its own."""
        return self.path / "tensorboard"

    @property
    def package(self) -> Path:
        """`package/`: what `kerasnas package` makes for others."""
        return self.path / "package"

    @property
    def trials(self) -> Path:
        """Holds a directory for each trial that was trained."""
        return self.path / "trials"

    def trial(self, id: str) -> TrainingPaths:
        """Return the training of one trial, by the trial's id."""
        return TrainingPaths(self.trials / id)

    def half_models(self) -> Iterator[Path]:
        """Return the models of trials that processes, which may be dead, have begun to write."""
        return self.trials.rglob(_HALF_MODEL)

    def from_scratch(self, id: str) -> TrainingPaths:
        """Return the training from scratch of a trial that was scored with a supernet's weights."""
        return TrainingPaths(self.path / "agreement" / id)

    def recipe(self, name: str) -> TrainingPaths:
        """Return the training by a recipe that is tried, by the recipe's name."""
        return TrainingPaths(self.path / "recipes" / name.replace(" + ", "-"))

    def winner(self, name: str) -> TrainingPaths:
        """Return the final training of a winner, by the first of its names."""
        return TrainingPaths(self.path / "winners" / name)

    def network(self, label: str) -> NetworkPaths:
        """Return the trainings of one network by `kerasnas train`."""
        return NetworkPaths(self.path / "train" / label)

    def networks(self) -> tuple[NetworkPaths, ...]:
        """Return all that `kerasnas train` has trained alone, by label."""
        found = sorted(self.path.glob("train/*"))
        alone = (each for each in found if not each.name.endswith(_ENSEMBLE))
        return tuple(NetworkPaths(each) for each in alone if each.is_dir())

    def ensemble(self, label: str) -> EnsemblePaths:
        """Return the ensemble of one network."""
        return EnsemblePaths(self.path / "train" / f"{label}{_ENSEMBLE}")

    def ensembles(self) -> dict[str, EnsemblePaths]:
        """Return all ensembles that `kerasnas train` has trained, by their network's label."""
        found = sorted(self.path.glob(f"train/*{_ENSEMBLE}"))
        return {each.name.removesuffix(_ENSEMBLE): EnsemblePaths(each) for each in found}

    def without_fold(self, fold: str, seed: int) -> RunPaths:
        """Return the search that sees no clip of a fold, a run directory of its own."""
        return RunPaths(self.path / "without" / f"fold{fold}-seed{seed}")

    @property
    def random(self) -> RunPaths:
        """The random search that this one is compared with, a run directory of its own."""
        return RunPaths(self.path / "random")


def _tested_on(fold: str | None) -> str:
    return "test" if fold is None else f"fold{fold}"
