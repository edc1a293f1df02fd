"""Forked processes for tests of what other processes see."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py


@contextmanager
def in_child(run: Callable[[], object], ready: Path) -> Iterator[int]:
    """Run something in a forked process, which has created ``ready`` when the block begins.

    The process is killed outright at the end of the block.
    """
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(1)
    try:
        last = time.monotonic() + 30
        while not ready.exists():
            if time.monotonic() > last or os.waitpid(child, os.WNOHANG)[0]:
                raise AssertionError("the child did not do its part")
            time.sleep(0.005)
        yield child
    finally:
        kill(child)


def kill(child: int) -> None:
    """Kill a process outright, if it has not been killed yet."""
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def sleep(ready: Path) -> None:
    """Say that everything is done, and do nothing more."""
    ready.touch()
    time.sleep(60)


def hold_for_writing(path: Path, ready: Path) -> None:
    """Have an HDF5 file open for writing, as another program does."""
    with h5py.File(path, "a"):
        sleep(ready)
