"""Decisions over time: from scores of windows to events, and how good events are.

Pure functions on arrays and lists of events, and one object of state, `Decider`, which takes scores
window by window. Nothing here reads sound or knows networks.
"""

from kerasnas.decisions.decider import Decider
from kerasnas.decisions.events import Detection, Event
from kerasnas.decisions.settings import ClassDecisions, DecisionSettings

__all__ = ["ClassDecisions", "Decider", "DecisionSettings", "Detection", "Event"]
