"""Factories for the runners' tests; imported in worker processes, so no test framework here."""

import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

loads = itertools.count()


def make(**arguments):
    loaded = next(loads)

    def evaluate(values, trial):
        action = values.get("action", "score")
        return {"metrics": {"score": values.get("x", 0)}, **(ACTIONS[action](values, trial) or {})}

    def score(values, trial):
        return {"pid": os.getpid(), "loaded": loaded, "arguments": arguments}

    ACTIONS = {**globals()["ACTIONS"], "score": score}  # noqa: N806
    return evaluate


def make_and_raise(**arguments):
    raise FileNotFoundError("no data in /nowhere")


def make_and_exit(**arguments):
    print("about to go")
    os._exit(4)


def make_and_be_killed(**arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def make_for_ever(**arguments):
    signal.pause()


def make_and_keep_a_helper():
    helper = subprocess.Popen(["sleep", "1000"])
    return lambda values, trial: {"metrics": {"score": 0}, "helper": helper.pid}


def make_blob(size):
    return lambda values, trial: {"metrics": {"score": len(values["blob"])}, "blob": "x" * size}


def _fork(values, trial):
    if os.fork():
        os.wait()
    return {"forked": os.getpid()}


def _fork_and_report(values, trial):
    if not os.fork():
        trial.report(7, loss=7.0)
    os.wait()


def _replies():
    """The descriptor of the pipe that this worker replies through."""
    return int(sys.argv[2])


def _write_stray_bytes(values, trial):
    os.write(_replies(), values["bytes"].encode())


def _reply_for_another(values, trial):
    line = {"event": "finished", "id": values["id"], "run": 1, "seconds": 0.0}
    os.write(_replies(), json.dumps({**line, "result": {"metrics": {"score": -1}}}).encode())
    os.write(_replies(), b"\n")


def _flood(values, trial):
    while True:
        os.write(_replies(), b"x" * 65536)


def _leave_a_grandchild(values, trial):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=values["alone"])
    trial.report(0, pid=child.pid)
    if values["end"] == "crash":
        os.abort()
    if values["end"] == "exception":
        raise ValueError("no good")
    if values["end"] == "for ever":
        signal.pause()


def _raise(values, trial):
    raise ValueError("no good")


def _segfault(values, trial):
    print("before the fault")
    ctypes.string_at(0)


def _allocate(values, trial):
    hoard = bytearray(400_000_000)
    trial.report(0, size=len(hoard))
    signal.pause()


def _grandchild(values, trial):
    child = subprocess.Popen(["sleep", "1000"])
    trial.report(0, pid=child.pid)
    signal.pause()


def _hold_interpreter(values, trial):
    trial.report(0)
    ctypes.PyDLL(None).pause()  # PyDLL keeps the interpreter's lock: no Python thread runs


def _meet(values, trial):
    """Return only when another trial is at the other end of the pipe at the same time."""
    with Path(values["fifo"]).open(values["mode"]) as pipe:
        pipe.write("here") if values["mode"] == "w" else pipe.read()


def _speak(values, trial):
    print("from Python", values["x"])
    os.write(1, b"from C\n")
    subprocess.run(["echo", "from a child"], check=True)
    print("an error", file=sys.stderr)
    (trial.directory / "own.txt").write_text("own")


def _steps(values, trial):
    last = 0
    for step in range(1, 6):
        last = step
        if not trial.report(step, loss=1.0 / step):
            break
    return {"last": last}


def _environment(values, trial):
    return {"environment": dict(os.environ), "path": sys.path}


def _numpy_like(values, trial):
    class Scalar:
        def item(self):
            return 0.5

    return {"metrics": {"score": Scalar()}}


def _kill_self(values, trial):
    os.kill(os.getpid(), signal.SIGKILL)


def _out_of_memory(values, trial):
    raise MemoryError("cannot allocate 9 TB")


def _disk_full(values, trial):
    Path("/dev/full").write_text("more")


ACTIONS = {
    "fork": _fork,
    "fork and report": _fork_and_report,
    "stray bytes": _write_stray_bytes,
    "reply for another": _reply_for_another,
    "flood": _flood,
    "leave a grandchild": _leave_a_grandchild,
    "raise": _raise,
    "segfault": _segfault,
    "abort": lambda values, trial: os.abort(),
    "leave": lambda values, trial: os._exit(3),
    "exit": lambda values, trial: sys.exit("bye"),
    "kill self": _kill_self,
    "out of memory": _out_of_memory,
    "disk full": _disk_full,
    "for ever": lambda values, trial: signal.pause(),
    "no JSON": lambda values, trial: {"metrics": {}, "model": object()},
    "no metrics": lambda values, trial: {"metrics": None},
    "numpy": _numpy_like,
    "allocate": _allocate,
    "grandchild": _grandchild,
    "hold interpreter": _hold_interpreter,
    "meet": _meet,
    "say": lambda values, trial: print(values["x"]),
    "speak": _speak,
    "steps": _steps,
    "environment": _environment,
}
