"""Searches that cannot go on: one clear message, exit code 2, and nothing is lost."""

import errno
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasnas.flow.task.opening import open_run, read_experiment
from kerasnas.runs.layout import RunPaths
from kerasnas.tuners.core.storage import journal
from kerasnas.tuners.core.storage.chain import Chain, parse
from tests.command_line import refused

pytestmark = pytest.mark.slow


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    """A copy of a finished search."""
    return shutil.copytree(searched, tmp_path / "run")


def call(run: Path, *options: str) -> str:
    """What `kerasnas search` says when it goes on in `run`, which must stay as it is."""
    before = RunPaths(run).journal.read_bytes()
    said = refused("search", "small.yaml", "--run", run, *options)
    assert RunPaths(run).journal.read_bytes().startswith(before)
    return said


def with_another_seed(lines: list[bytes]) -> list[bytes]:
    """The journal as a search with another seed would have written it."""
    header, events, *_ = parse(b"".join(lines), Path())
    assert header is not None
    header["identity"]["seed"] = 1
    sealed, chain = [], Chain()
    for fields in (header, *events):
        line, chain = chain.seal(fields)
        sealed.append(line + b"\n")
    return sealed


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: [b"a,b\n", b"1,2\n"], "is no journal of a search"),
        (
            lambda lines: [lines[0].replace(b'"schema":1', b'"schema":3'), *lines[1:]],
            "has schema 3, and this version reads 1",
        ),
        (lambda lines: [*lines[:4], lines[4][7:], *lines[5:]], "line 5 is damaged"),
        (lambda lines: [lines[0].replace(b'"seed":0', b'"seed":1'), *lines[1:]], "is damaged"),
        (with_another_seed, "seed: 1 there"),
    ],
    ids=["foreign", "newer", "damaged", "of a changed header", "of another search"],
)
def test_a_journal_that_cannot_be_used(
    run: Path, edit: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    path = RunPaths(run).journal
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(edit(lines)))
    assert path.read_bytes().splitlines(keepends=True) != lines
    text = call(run)
    assert str(path) in text
    assert message in text


def test_a_run_that_another_process_works_in(run: Path) -> None:
    with open_run(run, read_experiment(run)):
        assert f"{run} is in use by process {os.getpid()} on " in call(run)


def test_a_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def write(self, file: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal, "os", Full())
    assert "No space left on device. Everything before is kept; make room" in call(run)


@pytest.mark.usefixtures("processes")
def test_a_worker_that_cannot_import(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keras.py").write_text("raise ImportError('keras is broken here')")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = call(run, "--max-trials", "4")
    assert "the search cannot run its trials" in text
    assert "ImportError: keras is broken here" in text


def test_a_cluster_without_ray(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'kerasnas[ray]'" in call(run, "--cluster", "auto")


def test_a_cluster_that_cannot_be_reached(run: Path) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    text = call(run, "--cluster", address)
    assert f"no Ray cluster answers at {address}" in text
    assert "ray start --head" in text
