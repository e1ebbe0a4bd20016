"""Decisions over time without dependencies: `python decide.py postprocessing.json < scores.csv`.

scores.csv has a line for each window: where it begins (seconds), and a score for each label, under
a header of the labels. Events are printed as `start,stop,label,score`, as they end.
"""

import csv
import json
import sys
from collections import deque
from itertools import accumulate
from pathlib import Path
from statistics import median


class Decider:
    def __init__(self, settings):
        self.s, self.index, self.mean = settings, 0, None
        self.last = deque(maxlen=settings["smoothing_windows"])
        self.states = {
            name: {"middles": deque(maxlen=own["minimum_windows"]), "event": None, "free": -1e300}
            for name, own in settings["classes"].items()
        }

    def push(self, start, scores):
        """Take the scores of the next window, by label; return the events that end with it."""
        s, row = self.s, [scores[name] for name in self.states]
        if s["smoothing"] == "exponential":
            weight = 2 / (s["smoothing_windows"] + 1)
            before = row if self.mean is None else self.mean
            row = [weight * new + (1 - weight) * old for new, old in zip(row, before, strict=True)]
            self.mean = row
        elif s["smoothing"] != "none":
            self.last.append(row)
            columns = zip(*self.last, strict=True)
            means = s["smoothing"] == "mean"
            row = [[*accumulate(c)][-1] / len(c) if means else median(c) for c in columns]
        lag = min(self.index, s["smoothing_windows"] - 1) / 2 * s["hop_seconds"]
        middle, half = start + s["window_seconds"] / 2 - lag, s["hop_seconds"] / 2
        self.index += 1
        ended = []
        for (name, state), score in zip(self.states.items(), row, strict=True):
            own, event = s["classes"][name], state["event"]
            if score >= own["threshold"]:
                state["middles"].append(middle)
            else:
                state["middles"].clear()
            if event and score < own["release"]:
                ended.append(event)
                state["event"], state["free"] = None, start + own["refractory_seconds"]
            elif event:
                stop = max(middle + half, event[0])
                state["event"] = (event[0], stop, name, max(event[3], score))
            elif len(state["middles"]) == own["minimum_windows"] and start >= state["free"]:
                begun = max(state["middles"][0] - half + own["onset_shift_seconds"], 0.0)
                state["event"] = (begun, max(middle + half, begun), name, score)
        return ended

    def finish(self):
        """Return the events that still last."""
        return [state["event"] for state in self.states.values() if state["event"]]


if __name__ == "__main__":
    decider = Decider(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["settings"])
    header, *windows = csv.reader(sys.stdin)
    for window in windows:
        start, *scores = map(float, window)
        for event in decider.push(start, dict(zip(header[1:], scores, strict=True))):
            print("{:.6f},{:.6f},{},{:.6f}".format(*event))
    for event in decider.finish():
        print("{:.6f},{:.6f},{},{:.6f}".format(*event))
