"""An experiment: one YAML file that says everything a search needs."""

from kerasnas.experiment.schema import Experiment, load

__all__ = ["Experiment", "load"]
