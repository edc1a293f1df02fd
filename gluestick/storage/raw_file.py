"""Plain files that are read and written at offsets, and the kernel's lock on them."""

import io
import os
import sys
import threading
import weakref
from pathlib import Path

_open_files: "weakref.WeakSet[RawFile]" = weakref.WeakSet()

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 0x7FFF0000  # beyond what is read: Windows lets nobody read a locked byte

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class RawFile:
    """A file without any buffer of the process, so that what was written outlives a kill.

    A forked child closes its copies at once and other programs inherit none, so that a lock
    ends with the process that took it, whatever children it leaves.

    Args:
        path: The file.
        create: Whether a missing file is created.
        read_only: Whether it is never written.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool = False, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._turn = threading.Lock()
        opener = _create if create else None
        self._file = io.FileIO(str(path), "r" if read_only else "r+", opener=opener)
        _open_files.add(self)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def stamp(self) -> tuple[int, int]:
        """What changes when anybody changes the file: its size and its time."""
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def try_lock(self, *, shared: bool = False) -> bool:
        """Lock the file if nobody else has locked it in a way that excludes this; say whether.

        It takes the place of an earlier lock, which is gone also where this one is refused, and
        ends with the file.

        Args:
            shared: Whether others may share the lock. Windows knows none such.

        Raises:
            OSError: If the file system has no locks.
        """
        try:
            return _try_lock(self._file.fileno(), shared=shared)
        except OSError as error:
            raise OSError(
                error.errno, "the file system cannot lock this file", str(self.path)
            ) from error

    def is_at_its_path(self) -> bool:
        """Return whether the file's path still leads to it."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def read_at(self, offset: int, size: int) -> bytes:
        """Return the bytes from an offset on, fewer where the file ends."""
        parts = []
        with self._turn:
            self._file.seek(offset)
            while size > 0 and (part := self._file.read(size)):
                parts.append(part)
                size -= len(part)
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all bytes at an offset."""
        rest = memoryview(data)
        with self._turn:
            self._file.seek(offset)
            while rest:
                rest = rest[self._file.write(rest) :]

    def truncate(self, size: int) -> None:
        """Cut the file, or extend it by zeros."""
        self._file.truncate(size)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file and end its lock."""
        self._file.close()


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)


def _close_inherited() -> None:
    for file in list(_open_files):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
