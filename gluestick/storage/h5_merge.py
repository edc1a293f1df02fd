"""Moving the entries of a journal into their HDF5 file, such that a kill leaves either state.

Where entries are only added, the file grows in place. What HDF5 writes behind the file's end
goes there at once, and readers pass over it. What it changes in front of that, a few blocks of
tables of contents, stays in memory, goes into the journal, and only then into the file; a
process that opens the file after a kill does the last step again. Where an entry is replaced,
or a reader has the file open, the file is written anew and put in place in one step.
"""

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from gluestick.storage.atomic import atomic_path
from gluestick.storage.h5_files import copy_missing, holds_data, open_h5, write_entry
from gluestick.storage.journal import Journal
from gluestick.storage.raw_file import RawFile

LOCK_SECONDS = 0.2
"""How long to wait for readers to close a file before it is written anew for them."""

_PAGE = 512
_SUMMARY = struct.Struct("<QQQ")  # bytes before the change, after it, and where new ones begin
_OFFSET = struct.Struct("<Q")


class _Overlay:
    """A file object for HDF5 that leaves what a file holds so far as it is.

    HDF5 cannot back out of an error and may crash on one, so none is raised: the first is kept
    in ``error``, and nothing is written after it.
    """

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._base = self._end = file.size
        self._position = 0
        self._pages: dict[int, bytearray] = {}
        self.error: BaseException | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (self._end if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        found = bytearray(size)
        try:
            start, stop = self._position, self._position + size
            stored = self._file.read_at(start, size)
            found[: len(stored)] = stored
            for number in self._numbers(start, stop):
                page, at = self._pages.get(number), number * _PAGE - start
                if page is not None:
                    part = page[max(-at, 0) : size - at]
                    found[max(at, 0) : max(at, 0) + len(part)] = part
        except BaseException as error:
            self.error = self.error or error
        return bytes(found)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        try:
            if self.error is None:
                self._write(memoryview(data).cast("B"))
        except BaseException as error:
            self.error = self.error or error
        return len(data)

    def truncate(self, size: int) -> None:
        self._end = size

    def flush(self) -> None:
        pass

    def change(self) -> bytes:
        """Return what has to be done to the file itself, for :func:`_apply`."""
        pages = sorted(self._pages.items())
        parts = [_SUMMARY.pack(self._file.size, self._end, self._base)]
        parts += [_OFFSET.pack(number * _PAGE) + page for number, page in pages]
        return b"".join(parts)

    def _write(self, data: memoryview) -> None:
        start, stop = self._position, self._position + len(data)
        for number in self._numbers(start, stop):
            if number not in self._pages:
                size = min(_PAGE, self._base - number * _PAGE)
                self._pages[number] = bytearray(self._file.read_at(number * _PAGE, size))
            page, at = self._pages[number], number * _PAGE - start
            part = data[max(at, 0) : at + len(page)]
            page[max(-at, 0) : max(-at, 0) + len(part)] = part
        if stop > self._base:
            behind = max(start, self._base)
            self._file.write_at(behind, data[behind - start :])
        self._end = max(self._end, stop)

    def _numbers(self, start: int, stop: int) -> range:
        """Return the pages of the earlier file between two offsets."""
        stop = min(stop, self._base)
        return range(start // _PAGE, -(-stop // _PAGE)) if stop > start else range(0)


def merge(target: Path, journal: Journal, *, may_copy: bool) -> None:
    """Move all entries of a journal into its HDF5 file.

    Args:
        target: The HDF5 file, which is made if it is missing.
        journal: The locked journal; it is empty afterwards.
        may_copy: Whether the whole file may be copied where it cannot grow in place; the
            entries stay in the journal otherwise.

    Raises:
        ValueError: If the file cannot be read, or is open for writing in another program.
        OSError: If it cannot be written; it and the journal are as they were before.
    """
    finish_change(target, journal)
    if journal.is_empty:
        return
    journal.check_place()
    with _write_errors(target):
        if not target.exists():
            _write_anew(target, journal, None)
        elif not (_only_adds(target, journal) and _grow(target, journal)):
            if not may_copy:
                return
            with open_h5(target) as source:
                _write_anew(target, journal, source)
        journal.truncate()


def finish_change(target: Path, journal: Journal) -> None:
    """Do what a process that was killed while it changed an HDF5 file left to do.

    Args:
        target: The HDF5 file.
        journal: The locked journal, which keeps its entries if another program has changed the
            file meanwhile.
    """
    pages = journal.pages
    if pages is None:
        return
    if target.is_file() and target.stat().st_size in _SUMMARY.unpack_from(pages)[:2]:
        file = RawFile(target)
        try:
            file.try_lock()
            _apply(file, pages)
        finally:
            file.close()
        journal.truncate()
    else:
        journal.drop_pages()


def _only_adds(target: Path, journal: Journal) -> bool:
    with open_h5(target) as file:
        return not any(holds_data(file, name) for name in (*journal.places, *journal.replaced))


def _grow(target: Path, journal: Journal) -> bool:
    """Add the entries in place; return False if nobody may write there now."""
    if os.name == "nt":  # where nothing tells whether a reader has the file open
        return False
    try:
        file = RawFile(target)
    except PermissionError:
        return False
    try:
        # HDF5 takes the shared lock of what it reads, and the other of what it writes.
        if not file.try_lock() or not file.try_lock(shared=True):
            return False
        size = file.size
        try:
            overlay = _fill(file, "r+", journal, None)
            file.sync()
            change = overlay.change()
            journal.append_pages(change)
        except BaseException:
            file.truncate(size)
            raise
        if not _lock_soon(file):
            journal.drop_pages()
            if file.try_lock(shared=True):
                file.truncate(size)
            return False
        _apply(file, change)
    finally:
        file.close()
    return True


def _lock_soon(file: RawFile) -> bool:
    """Lock a file as soon as its readers have gone; return False if they stay or it changes."""
    stamp, last = file.stamp, time.monotonic() + LOCK_SECONDS
    while not file.try_lock():
        if time.monotonic() > last:
            return False
        time.sleep(0.001)
    return file.stamp == stamp


def _write_anew(target: Path, journal: Journal, source: h5py.File | None) -> None:
    with atomic_path(target) as temporary:
        file = RawFile(temporary, create=True)
        try:
            _fill(file, "w", journal, source)
        finally:
            file.close()


def _fill(file: RawFile, mode: str, journal: Journal, source: h5py.File | None) -> _Overlay:
    overlay = _Overlay(file)
    try:
        with h5py.File(overlay, mode) as content:
            for name in journal.places:
                write_entry(content, name, journal.read(name))
            if source is not None:
                copy_missing(source, content, without=journal.replaced)
    except BaseException as error:
        raise (overlay.error or error) from None
    if overlay.error is not None:
        raise overlay.error
    return overlay


def _apply(file: RawFile, change: bytes) -> None:
    _, size, base = _SUMMARY.unpack_from(change)
    offset = _SUMMARY.size
    while offset < len(change):
        (place,) = _OFFSET.unpack_from(change, offset)
        offset += _OFFSET.size
        page = memoryview(change)[offset : offset + min(_PAGE, base - place)]
        file.write_at(place, page)
        offset += len(page)
    file.truncate(size)
    file.sync()


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except (RuntimeError, KeyError) as error:  # HDF5's reports of full disks and damage
        raise OSError(
            f"{path} cannot be written (is the disk full, or the earlier file damaged?): {error}"
        ) from error
