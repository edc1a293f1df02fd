"""How many processors a command takes."""

import os
import time
from contextlib import suppress
from pathlib import Path

_READINGS = 4
_PAUSE = 0.01  # s
_OMP = "OMP_NUM_THREADS"
_MOST_THREADS = 1024


def use_threads(threads: int | None) -> int:
    """Set how many threads the networks and OpenCV use, and return their number.

    Args:
        threads: The number; None for as many as there are processors without other work, at
            least one, unless OMP_NUM_THREADS says something else. Threads that wait for each
            other on busy processors are slower than a single one.

    Raises:
        ValueError: If the number is below 1, or so large that threads cannot be started.
    """
    import cv2
    import torch

    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise ValueError(f"--threads needs to be from 1 to {_MOST_THREADS}, found {threads}")
    if threads is None:
        threads = torch.get_num_threads() if os.environ.get(_OMP) else idle_processors()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return threads


def idle_processors() -> int:
    """Return how many processors this process may use that have no other work, at least 1."""
    everywhere = os.cpu_count() or 1
    ours = everywhere
    if hasattr(os, "sched_getaffinity"):
        ours = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            ours = min(ours, -(-int(quota) // int(period)))
    return max(1, min(ours, round(everywhere - _others_running())))


def _others_running() -> float:
    """Return how many threads of others run or wait for a processor, on average of a moment."""
    try:
        running = []
        for _ in range(_READINGS):
            text = Path("/proc/loadavg").read_text(encoding="ascii")
            running.append(int(text.split()[3].partition("/")[0]) - 1)
            time.sleep(_PAUSE)
        return sum(running) / len(running)
    except (OSError, ValueError, IndexError):
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
