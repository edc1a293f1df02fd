"""The folder that a running page keeps its files in, and those that killed ones left."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "gluestick-web-"
_LOCK = "lock"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give a temporary folder that only its owner reads, and delete it at the end.

    What processes left that were killed, and so could not delete theirs, is deleted first.
    Where the system has no file locks, it stays.
    """
    _delete_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _locked(descriptor)
            yield folder
        finally:
            os.close(descriptor)


def _delete_abandoned(temporary: Path) -> None:
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or one that another process deletes
            descriptor = os.open(folder / _LOCK, os.O_RDWR)
            try:
                if _locked(descriptor):
                    shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock a file, and return whether that was possible."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
