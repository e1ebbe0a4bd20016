"""The records of a run, one class for each of its JSON files."""

from kerasnas.runs.records.excerpts import ExcerptEntry, Excerpts
from kerasnas.runs.records.export import (
    AccuracyDrop,
    CheckEntry,
    ClipCounts,
    Delegated,
    Export,
    FileEntry,
    FileFigures,
    FrontEndDescription,
    Latency,
    MadeFrom,
    Thresholds,
    TuningEntry,
    WaveformEntry,
)
from kerasnas.runs.records.recipes import RecipeEntry, Recipes
from kerasnas.runs.records.review import (
    Baselines,
    BaselineScores,
    FindingEntry,
    Findings,
    SuspectEntry,
)
from kerasnas.runs.records.search import (
    Agreement,
    ControllerCurve,
    ControllerUpdate,
    Hypervolume,
    RankCorrelation,
    RankedPath,
    SearchState,
    SizeWindow,
    Threads,
)
from kerasnas.runs.records.trained import Ensemble, FoldClasses, Folds, FoldTraining
from kerasnas.runs.records.training import Description, Evaluation, History
from kerasnas.runs.records.winners import Winner, WinnerEntry, Winners

__all__ = [
    "AccuracyDrop",
    "Agreement",
    "BaselineScores",
    "Baselines",
    "CheckEntry",
    "ClipCounts",
    "ControllerCurve",
    "ControllerUpdate",
    "Delegated",
    "Description",
    "Ensemble",
    "Evaluation",
    "ExcerptEntry",
    "Excerpts",
    "Export",
    "FileEntry",
    "FileFigures",
    "FindingEntry",
    "Findings",
    "FoldClasses",
    "FoldTraining",
    "Folds",
    "FrontEndDescription",
    "History",
    "Hypervolume",
    "Latency",
    "MadeFrom",
    "RankCorrelation",
    "RankedPath",
    "RecipeEntry",
    "Recipes",
    "SearchState",
    "SizeWindow",
    "SuspectEntry",
    "Threads",
    "Thresholds",
    "TuningEntry",
    "WaveformEntry",
    "Winner",
    "WinnerEntry",
    "Winners",
]
