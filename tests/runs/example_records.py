"""A small record of every class, and the file of a run that it lies in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasnas.decisions import DecisionSettings
from kerasnas.runs import records
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.record import Record
from tests.report.conftest import exported_file, whole_file

FIGURES = records.FileFigures("full_int8", "while", 900, 800, 900, 0.75, 0.5)
CHECK = records.CheckEntry("budget", "model_int8.tflite", "passed", 900, 1000, "within")


def _description() -> records.Description:
    return records.Description(
        architecture={"input_shape": [8, 8, 1], "blocks": []},
        recipe={"epochs": 3, "rate": 1e-3},
        settings={"features.mel_bins": 16},
        seed=1,
        fold="2",
        scored_on="test",
        trial=4,
        values={"growth": 1.5, "block": "ir3"},
        cost={"parameters": 12},
    )


def _evaluation() -> records.Evaluation:
    return records.Evaluation(
        clips="test",
        classes=("rain", "dog"),
        metrics={"loss": 0.25, "mean_auc": None, "scored_classes": 1},
        confusion=np.array([[1, 0], [1, 1]]),
        by_class={"auc": np.array([0.5, np.nan])},
        channel_f1=np.array([np.nan, 0.125]),
        count=3,
        predictions=np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]),
        labels=np.array([[0, 1], [1, 1], [1, 0]]),
        ids=("a.wav", "b.wav", "c.wav"),
    )


def _export() -> records.Export:
    whole = whole_file("int8", 400, 500)
    micro = records.MicroEntry(
        file="model_int8.cc",
        sha256="0" * 64,
        header=records.SourceEntry("model_int8.h", "1" * 64),
        arena_bytes=4096,
        tensor_bytes=2048,
        lasting_bytes=1000,
        operators=("CONV_2D",),
        resolver=("AddConv2D",),
        examples=16,
        steps={"mean": 0.25, "most": 2.0, "step": 1 / 256},
        verdict="passed",
    )
    tuned = {"waveform": whole, "without_tuning": FIGURES, "without_fusing": FIGURES}
    tuned |= {"micro": micro, "larger": "it has many channels", "slow": "it has loops"}
    return records.Export(
        task="single_label",
        classes=("rain", "dog"),
        input_shape=(8, 8, 1),
        clips=records.ClipCounts(20, 10),
        held_on="test clips",
        accuracy={"keras": 0.75, "int8": 0.5},
        tuning=records.TuningEntry(
            "model_tuned.keras",
            "0" * 64,
            {"given": 0.0, "tuned": 0.5},
            {"given": 400, "tuned": 16},
            0.75,
            0.9,
            records.AccuracyDrop(0.0, (-0.1, 0.1)),
        ),
        files={"int8": exported_file("int8", 500, **tuned)},
        checks=(CHECK,),
        verdict="passed",
        settings={"budget": 1000},
        versions={"python": "3.11.2"},
        machine="x86_64",
    )


def _folds() -> records.Folds:
    column = {"equal_error_rate": np.array([0.25, np.nan])}
    return records.Folds(
        architecture="winner",
        metric="equal_error_rate",
        trainings=(
            records.FoldTraining("1", 0, 20, {"float32": {"equal_error_rate": 0.25}}),
            records.FoldTraining(None, 1, 10, {"int8": {"equal_error_rate": None, "bytes": 900}}),
        ),
        mean={"float32": 0.25},
        deviation={"float32": None},
        by_class=records.FoldClasses(("rain", "dog"), (4, 0), {"float32": column}),
    )


def _stream_decisions() -> records.StreamDecisions:
    figures = records.StreamFigures(3, 1, 0.5, None, 2.5, 0.25, 0.125, 0.75, (0.5, 1.5))
    part = records.StreamPart(2, 3.5, 2.5, ("kitchen", "0a"))
    return records.StreamDecisions(
        file="model_int8.tflite",
        sha256="0" * 64,
        asked=0.5,
        settings=DecisionSettings.untuned(("rain", "dog"), 1.0),
        validation=part,
        test=part,
        all_classes=figures,
        by_class={"rain": figures},
        plain=figures,
        silent=("dog",),
        curves={"rain": (records.CurvePoint(0.5, 0.25, 3),)},
        verdict="not proven",
    )


EXAMPLES: dict[type[Record], tuple[Callable[[], Record], Callable[[RunPaths], Path]]] = {
    records.Description: (_description, lambda run: run.winner("loss").description),
    records.EpochTable: (
        lambda: records.EpochTable(({"epoch": 1, "loss": 0.5, "val_loss": None},)),
        lambda run: run.trial("0000").history,
    ),
    records.FineTuned: (
        lambda: records.FineTuned("last", 79, {"loss": 0.25}, {"loss": None}, False),
        lambda run: run.winner("loss").fine_tuning,
    ),
    records.Evaluation: (_evaluation, lambda run: run.export.evaluation("int8")),
    records.Winners: (
        lambda: records.Winners(
            {"loss": records.WinnerEntry(3, "winners/loss", "lowest loss", "loss")}, "loss"
        ),
        lambda run: run.winners,
    ),
    records.Folds: (_folds, lambda run: run.network("winner").folds),
    records.Ensemble: (
        lambda: records.Ensemble(
            "winner", {"loss": 0.5}, {"fold 1": {"loss": None}}, {"fold 1": "0a"}
        ),
        lambda run: run.ensemble("winner").scores,
    ),
    records.Export: (_export, lambda run: run.export.report),
    records.MadeFrom: (
        lambda: records.MadeFrom("0a", "1b", "2c", "3d", 4, {"kind": "log_mel"}, {"budget": 5}),
        lambda run: run.export.made_from,
    ),
    records.Thresholds: (
        lambda: records.Thresholds("validation", {"rain": 0.25, "dog": 0.5}),
        lambda run: run.export.thresholds,
    ),
    records.Postprocessing: (
        lambda: records.Postprocessing(
            "model_int8.tflite",
            "2 streams",
            DecisionSettings.untuned(("rain", "dog", "other"), 1.0),
        ),
        lambda run: run.export.postprocessing,
    ),
    records.StreamDecisions: (_stream_decisions, lambda run: run.streams),
    records.Mined: (
        lambda: records.Mined(
            ("kitchen",),
            (
                records.MinedEntry("a-1", "a.wav", 0.5, 1.5, "dog", None, 0.75, "other"),
                records.MinedEntry("a-2", "a.wav", 2.5, 3.5, None, "rain", 0.5),
            ),
        ),
        lambda run: run.mined_record,
    ),
    records.FrontEndDescription: (
        lambda: records.FrontEndDescription({"hop": 160}, {"hop": 160}, {"shape": [1, 2]}),
        lambda run: run.export.front_end,
    ),
    records.SearchState: (
        lambda: records.SearchState(
            9,
            4,
            records.SizeWindow("int8_file", 100, 2000),
            (("accuracy", "max"), ("macs", "min")),
            (0, 3),
            12.5,
            "growth",
        ),
        lambda run: run.search,
    ),
    records.ControllerCurve: (
        lambda: records.ControllerCurve(
            (records.ControllerUpdate(1, 5, -0.5, -0.25, 1.5, 0.25),),
            records.MostProbable({"blocks": 2, "growth": 1.5}, 0.25),
        ),
        lambda run: run.controller,
    ),
    records.Threads: (lambda: records.Threads({"trials": 2}), lambda run: run.threads),
    records.Agreement: (
        lambda: records.Agreement(
            20,
            {"loss": records.RankCorrelation(0.5, 0.25, None)},
            (records.RankedPath(3, {"loss": 0.5}, {"loss": 0.25}),),
        ),
        lambda run: run.agreement,
    ),
    records.Baselines: (
        lambda: records.Baselines(
            "0a",
            None,
            0.3,
            {
                "test": records.BaselineScores(
                    np.array([0.75, 0.25]), {"loss": 0.7}, {"accuracy": 0.5}, _evaluation()
                )
            },
            (records.SuspectEntry("a.wav", ("rain",), ("dog",), 0.5),),
            3,
        ),
        lambda run: run.baselines,
    ),
    records.Recipes: (
        lambda: records.Recipes(
            "0a",
            "12 parameters",
            80,
            4,
            9,
            (records.RecipeEntry("none", "recipes/none", {"loss": 0.5}, 0.25, 0.0, None, 1.5),),
            "none",
            {"augmentation": {}, "sampling": "balanced"},
        ),
        lambda run: run.recipes,
    ),
    records.Excerpts: (
        lambda: records.Excerpts(
            "0a",
            True,
            2,
            (
                records.ExcerptEntry("a.wav", "rain", "dog", 0.5, 0.0, 1.5, "AAAA", None),
                records.ExcerptEntry("b.wav", None, "dog", 0.5, None, None, None, "AAAA"),
            ),
        ),
        lambda run: run.excerpts,
    ),
    records.Findings: (
        lambda: records.Findings(
            {"float32": (records.FindingEntry("drop", True, "It drops"),), "int8": ()}
        ),
        lambda run: run.findings,
    ),
    records.Hypervolume: (
        lambda: records.Hypervolume({"search": ((1, 0.25), (4, 0.5))}),
        lambda run: run.hypervolume,
    ),
}
