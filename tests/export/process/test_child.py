import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kerasnas.export import ExportError
from kerasnas.export.process.child import run_module

CHILDREN = {
    "segfault": "import os, signal; print('last thing said'); os.kill(os.getpid(), signal.SIGSEGV)",
    "exception": "raise RuntimeError('lost its mind')",
    "refuses": """
import sys, pathlib
pathlib.Path(sys.argv[2]).write_text('the model is no good')
sys.exit(3)
""",
    "hangs": """
import json, os, pathlib, subprocess, sys
grandchild = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
target = pathlib.Path(json.load(open(sys.argv[1]))['pids'])
target.with_suffix('.part').write_text(f'{os.getpid()} {grandchild.pid}')
target.with_suffix('.part').rename(target)
grandchild.wait()
""",
    "waits": """
import json, os, signal, sys
print(os.getpid(), file=open(json.load(open(sys.argv[1]))['pid'], 'w'), flush=True)
signal.pause()
""",
    "greedy": "import signal; hoard = bytearray(b'x') * 300_000_000; signal.pause()",
    "works": """
import json, pathlib, sys, os
request = json.load(open(sys.argv[1]))
pathlib.Path(request['output']).write_text(os.environ['TF_NUM_INTRAOP_THREADS'])
""",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, source in CHILDREN.items():
        (tmp_path / f"child_{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    def call(name: str, request=None, time_limit=60.0, memory_limit=200_000_000) -> None:
        run_module(
            f"child_{name}",
            request or {},
            what="converting m.keras to full_int8",
            time_limit=time_limit,
            memory_limit=memory_limit,
        )

    return call


def test_a_child_gets_its_request_and_one_thread(run, tmp_path: Path):
    run("works", {"output": str(tmp_path / "output")})
    assert (tmp_path / "output").read_text() == "1"


@pytest.mark.parametrize(
    ("child", "message"),
    [
        ("segfault", "(?s)converting m.keras to full_int8: .*died of SIGSEGV.*last thing said"),
        ("exception", "(?s)converting m.keras to full_int8: .*ended with 1.*lost its mind"),
        ("refuses", "^the model is no good$"),
        ("greedy", r"converting m.keras to full_int8 held [\d,]+ bytes .* 200,000,000"),
    ],
)
def test_the_end_of_a_child_is_one_error(run, child: str, message: str):
    with pytest.raises(ExportError, match=message):
        run(child)


def test_a_child_over_its_time_is_killed_with_its_children(run, tmp_path: Path):
    with pytest.raises(ExportError, match="took more than 5 s"):
        run("hangs", {"pids": str(tmp_path / "pids")}, time_limit=5)
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        # The grandchild may stay a zombie until somebody reaps it, but it does not run.
        assert_ends(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_a_killed_parent(tmp_path: Path, ending: signal.Signals):
    (tmp_path / "child_waits.py").write_text(CHILDREN["waits"])
    limits = "what='waiting', time_limit=60, memory_limit=200_000_000"
    code = (
        "from kerasnas.export.process.child import run_module\n"
        f"run_module('child_waits', {{'pid': {str(tmp_path / 'pid')!r}}}, {limits})"
    )
    os.mkfifo(tmp_path / "pid")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as parent:
        pid = int((tmp_path / "pid").read_text())  # as soon as the child has written it
        parent.send_signal(ending)
    assert_ends(pid)


def assert_ends(pid: int) -> None:
    deadline = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < deadline


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
