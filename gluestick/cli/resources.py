"""How many processors a command takes, and whether memory suffices."""

import os
import time
from contextlib import suppress
from pathlib import Path

import typer

_READINGS = 4
_PAUSE = 0.01  # s
_OMP = "OMP_NUM_THREADS"

_BASE = 0.7e9
_PER_PIXEL_READ = 40
_PER_PIXEL_DETECTED = 300
"""Bytes: for the program, for each pixel of both images, and for each that a detector sees of one
(27 megapixels at full size take 8.2 GB)."""


def use_threads(threads: int | None) -> int:
    """Set how many threads the networks and OpenCV use, and return their number.

    Args:
        threads: The number; None for as many as there are processors without other work, at
            least one, unless OMP_NUM_THREADS says something else. Threads that wait for each
            other on busy processors are slower than a single one.

    Raises:
        ValueError: If the number is below 1.
    """
    import cv2
    import torch

    if threads is not None and threads < 1:
        raise ValueError(f"--threads needs to be at least 1, found {threads}")
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


def available_memory() -> float | None:
    """Return how many bytes can still be used, or None where the system does not say."""
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable"))
        limits.append(1024.0 * int(line.split()[1]))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit, used = (
            float((group / name).read_text(encoding="ascii"))
            for name in ("memory.max", "memory.current")
        )
        limits.append(limit - used)
    return min(limits, default=None)


def warn_of_memory(sizes: list[tuple[int, int]], seen_sizes: list[tuple[int, int]]) -> None:
    """Say on stderr that images may need more memory than the machine has.

    Args:
        sizes: (width, height) px of the images.
        seen_sizes: The same as the detectors see them.
    """
    needed = _BASE + _PER_PIXEL_READ * sum(width * height for width, height in sizes)
    needed += _PER_PIXEL_DETECTED * max((w * h for w, h in seen_sizes), default=0)
    available = available_memory()
    if available is None or needed <= available:
        return
    largest = max(seen_sizes, key=lambda size: size[0] * size[1])
    typer.echo(
        f"gluestick: warning: detecting in {largest[0]} x {largest[1]} px needs about "
        f"{needed / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free: use a smaller --resize, or "
        "--tiles 1024",
        err=True,
    )
