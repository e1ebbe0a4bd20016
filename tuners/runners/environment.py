"""What a worker's process environment must hold before its first import."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
"""Read once, when a library is imported: setting them later has no effect."""

ALLOCATOR = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:"
    "glibc.malloc.trim_threshold=8589934592"
)
"""glibc gives each large tensor back to the kernel, and takes it anew at the next step: page
faults were a third of a small training step's time. Kept memory goes when a worker is recycled."""


def available_cores(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores this process may use: its affinity, cut to a container's quota; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        if quota != "max":
            cores = min(cores, int(quota) // int(period))
    except (OSError, ValueError):
        pass  # no control groups here
    return max(1, cores)


def worker_environment(
    inherited: Mapping[str, str], threads: int, device: str | None = None
) -> dict[str, str]:
    """Return the environment of a worker process.

    Args:
        inherited: the parent's environment; everything not named below is kept, and
            `GLIBC_TUNABLES` where it is set.
        threads: computing threads, for every library that reads a variable.
        device: `CUDA_VISIBLE_DEVICES` of this worker; `None` leaves it as inherited.

    TensorFlow's inter-op pool runs independent operators side by side, on top of the threads
    within an operator: one thread there keeps workers × threads = cores. `PYTHONPATH` is the
    parent's whole `sys.path`, so that a factory which can be imported here can be there.
    """
    environment = {
        **inherited,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "TF_NUM_INTEROP_THREADS": "1",
        "GLIBC_TUNABLES": inherited.get("GLIBC_TUNABLES", ALLOCATOR),
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
    }
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    return environment
