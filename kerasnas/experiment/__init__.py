"""An experiment: one YAML file that says everything a search needs."""

from kerasnas.experiment.reading import load
from kerasnas.experiment.schema import Experiment

__all__ = ["Experiment", "load"]
