"""Locks: one process at a time writes in a place, and a process that dies gives the place up.

The lock is filelock's, on an empty file of its own: `flock` on Linux and macOS, `msvcrt` on
Windows, where a locked file cannot be read. Unlike a bare `flock`, it is not inherited by a forked
child, which would hold the place after its parent has died.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import psutil
from filelock import FileLock, Timeout


class HeldError(Exception):
    """Another process, or another object of this one, holds the lock."""


def hold(path: Path) -> FileLock:
    """Lock a file, made when it does not exist, until the lock is released or the process ends.

    Args:
        path: The file; it stays when the lock is released.

    Returns:
        The lock. `release` gives it up, from any thread; `is_locked` is False in a forked child.

    Raises:
        HeldError: It is locked.
        OSError: The file cannot be made, or the file system has no locks.
    """
    lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise HeldError(path) from None
    except NotImplementedError:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from None
    return lock


def describe_holder(pid: int, host: str) -> str:
    """Return a process that has opened what is locked, in words.

    It may have died while something it started, such as a child forked by native code, lives on.
    """
    said = f"process {pid} on {host}"
    if host == socket.gethostname() and not psutil.pid_exists(pid):
        return f"a process that was started by {said}, which has died"
    return said
