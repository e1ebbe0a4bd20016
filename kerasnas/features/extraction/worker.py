"""One worker process of `workers`: `python -m kerasnas.features.extraction.worker`."""

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from kerasnas.errors import KerasnasError
from kerasnas.features.front_ends import RecordingFrontEnd, front_end
from kerasnas.features.versions import Version, version_features


def main() -> None:
    """Read one task from standard input; write one line per clip to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    line = sys.stdin.readline()
    if not line:  # the parent is gone already
        return
    task = json.loads(line)
    settings = front_end(task["settings"])
    assert isinstance(settings, RecordingFrontEnd)
    version = Version.model_validate(task["version"])
    features = np.load(task["array"], mmap_mode="r+")
    with suppress(BrokenPipeError):  # the parent is gone
        for row, path in task["clips"]:
            try:
                features[row] = version_features(Path(path), settings, version, row)
            except KerasnasError as error:
                print(json.dumps({"error": str(error)}), flush=True)
                return
            print(flush=True)


if __name__ == "__main__":
    main()
