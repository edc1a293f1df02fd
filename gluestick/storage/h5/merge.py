"""Moving the entries of a journal into their HDF5 file, such that a kill leaves either state.

Where entries are only added, the file grows in place. What HDF5 writes behind the file's end
goes there at once, and readers pass over it. What it changes in front of that, a few blocks of
tables of contents, stays in memory, goes into the journal, and only then into the file; a
process that opens the file after a kill does the last step again. Where an entry is replaced,
or a reader has the file open, the file is written anew and put in place in one step.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from gluestick.storage.atomic import atomic_path
from gluestick.storage.h5.files import copy_missing, holds_data, open_h5, write_entry
from gluestick.storage.journal import Journal
from gluestick.storage.overlay import Overlay, apply_change, sizes_of_change
from gluestick.storage.raw_file import RawFile

LOCK_SECONDS = 0.2
"""How long to wait for readers to close a file before it is written anew for them."""


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
    if target.is_file() and target.stat().st_size in sizes_of_change(pages):
        file = RawFile(target)
        try:
            file.try_lock()
            apply_change(file, pages)
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
        apply_change(file, change)
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


def _fill(file: RawFile, mode: str, journal: Journal, source: h5py.File | None) -> Overlay:
    overlay = Overlay(file)
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
