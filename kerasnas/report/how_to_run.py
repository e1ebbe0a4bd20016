"""How an exported network is run: the code that a model card shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kerasnas.runs.records import Export


def how_to_run(export: Export) -> str:
    """Return the section on the smallest file: from a shell, in Python, on Android and iOS."""
    # The smallest file is the one for phones; order and shapes are the same in all.
    smallest = min(export.files.values(), key=lambda entry: entry.bytes)
    file, shape, classes = smallest.file, export.input_shape, len(export.classes)
    size = int(np.prod(shape))
    shell = f"""## How to run it

Recordings, from a shell: `kerasnas predict export/{file} RECORDING...`"""
    if smallest.recurrent == "step":
        return f"""{shell}

From a microphone: `kerasnas listen export/{file}`

In an app: each call takes the next frames, float32 of shape
{(1, smallest.step_frames, *shape[1:])}, and the states (`state0`, ...) that the call before it
gave, zeros at first; it gives the scores so far, in the order of `export/labels.txt`, and the
states for the next call. Scores count from {shape[0]} frames on."""
    python, kotlin, swift = (code if smallest.keeps_state else "" for code in _RESETS)
    return f"""{shell}

Python (`pip install ai-edge-litert`), `features` being float32 of shape {shape}:

```python
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path="export/{file}")
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], features[None])
{python}interpreter.invoke()
scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
```

Android (`com.google.ai.edge.litert:litert`), the file in `assets/`:

```kotlin
val interpreter = Interpreter(FileUtil.loadMappedFile(context, "{file}"))
val input = ByteBuffer.allocateDirect(4 * {size}).order(ByteOrder.nativeOrder())
input.asFloatBuffer().put(features) // frames, then bins, then channels
val scores = Array(1) {{ FloatArray({classes}) }}
{kotlin}interpreter.run(input, scores)
```

iOS (pod `TensorFlowLiteSwift`), the file in the bundle:

```swift
let path = Bundle.main.path(forResource: "{Path(file).stem}", ofType: "tflite")!
let interpreter = try Interpreter(modelPath: path){swift}
try interpreter.allocateTensors()
try interpreter.copy(features.withUnsafeBytes {{ Data($0) }}, toInputAt: 0) // [Float] of {size}
try interpreter.invoke()
let output = try interpreter.output(at: 0)
let scores = output.data.withUnsafeBytes {{ Array($0.bindMemory(to: Float.self)) }}
```

Scores are in the order of `export/labels.txt`."""


_RESETS = (
    "interpreter.reset_all_variables()  # before each clip: the file keeps its state\n",
    "interpreter.resetVariableTensors() // before each clip: the file keeps its state\n",
    " // anew for each clip: the file keeps its state",
)
"""How applications begin a clip anew, in Python, Kotlin and Swift, whose interpreter cannot."""


def in_mediapipe(file: str) -> str:
    """Return how a file that takes the waveform is run by MediaPipe."""
    return _MEDIAPIPE.format(file=file)


_MEDIAPIPE = """Python (`pip install mediapipe`); for Android and iOS MediaPipe takes it, too:

```python
from mediapipe.tasks.python.audio import AudioClassifier
from mediapipe.tasks.python.components.containers import AudioData

with AudioClassifier.create_from_model_path("export/{file}") as classifier:
    results = classifier.classify(AudioData.create_from_array(samples, sample_rate))
```"""
