"""Classify recordings by MediaPipe, in an environment of its own: prints JSON for the test.

Usage: `python mediapipe_labels.py MODEL WAVEFORMS.npz`, with the arrays `waveforms`, `(clips,
samples)`, and `sample_rate`.
"""

import json
import sys

import numpy as np
from mediapipe.tasks.python.audio import AudioClassifier
from mediapipe.tasks.python.components.containers import AudioData

with np.load(sys.argv[2]) as given, AudioClassifier.create_from_model_path(sys.argv[1]) as network:
    results = []
    for waveform in given["waveforms"]:
        sound = AudioData.create_from_array(waveform.astype(float), int(given["sample_rate"]))
        (result,) = network.classify(sound)
        categories = result.classifications[0].categories
        results.append({category.category_name: category.score for category in categories})
json.dump(results, sys.stdout)
