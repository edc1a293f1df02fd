"""Entries on their way into an HDF5 file: a file beside it that is only ever appended to.

A journal begins with a line that says so and the process that writes it. Then follow records
(:mod:`gluestick.storage.records`): ``ENTR`` is an entry (:mod:`gluestick.storage.entries`), and
``PAGE`` says how the HDF5 file itself has to be changed to hold them all
(:mod:`gluestick.storage.h5.merge`), and is the last.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gluestick.storage.entries import Entry, decode, decode_names, encode, parent_names
from gluestick.storage.raw_file import RawFile
from gluestick.storage.records import read_record, read_records, write_record

SYNC_SECONDS = 5.0
"""How much a failing power supply can take; a process that is killed loses nothing."""

_TITLE = b"gluestick journal 1\n"
_START = len(_TITLE) + 20
_ENTRY, _PAGES = b"ENTR", b"PAGE"


class LockedError(ValueError):
    """Another process, or another session of this one, writes the file."""


class MovedError(Exception):
    """What a journal held has been moved into the HDF5 file meanwhile."""


def journal_path(target: Path) -> Path:
    """Return where the journal of an HDF5 file lies while it is written."""
    return target.with_name(target.name + ".journal")


class Journal:
    """The entries in a journal, by name; each survives a kill as soon as it is appended.

    Use :meth:`lock` to write one and :meth:`look` to read what another process writes.

    Attributes:
        places: The offsets of the entries, by plain name.
        replaced: The entries of the HDF5 file that entries of other names replace.
        folders: The folders in which entries lie or have lain.
        pages: The content of ``PAGE``, if the HDF5 file is about to be changed.
        end: Where the next record comes.
    """

    places: dict[str, int]
    replaced: set[str]
    folders: set[str]
    pages: bytes | None
    end: int

    def __init__(self, file: RawFile) -> None:
        start = file.read_at(0, len(_TITLE)).rstrip(b"\0")  # zeros: not written before a crash
        if start != _TITLE[: len(start)]:
            raise ValueError(f"{file.path} is not a journal of gluestick: move it elsewhere")
        self._file = file
        self._synced = time.monotonic()
        self._clear()
        self._scan()

    @classmethod
    def lock(cls, target: Path) -> "Journal":
        """Open or begin the journal of an HDF5 file, for this process alone.

        Raises:
            LockedError: If another session writes the file.
            ValueError: If there is a file of this name that is no journal.
            OSError: If it cannot be opened or locked.
        """
        while True:
            file = RawFile(journal_path(target), create=True)
            try:
                if not file.try_lock():
                    raise LockedError(
                        f"{target} is being written by {_holder(file)}: wait until it ends, or "
                        "write to another file"
                    )
                if file.is_at_its_path():  # else the last writer has just removed it
                    return cls._begin(file)
            except BaseException:
                file.close()
                raise
            file.close()

    @classmethod
    def _begin(cls, file: RawFile) -> "Journal":
        journal = cls(file)
        if file.size > journal.end:  # a killed process left part of a record
            file.truncate(journal.end)
        file.write_at(0, _TITLE + f"{os.getpid():>19}\n".encode())
        return journal

    @classmethod
    def look(cls, target: Path) -> "Journal | None":
        """Open the journal of an HDF5 file for reading, None if there is none."""
        try:
            file = RawFile(journal_path(target), read_only=True)
        except FileNotFoundError:
            return None
        return cls(file)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be moved into the HDF5 file."""
        return not self.places and self.pages is None

    def check_place(self) -> None:
        """Check that nobody has removed the journal, and with it the lock.

        Raises:
            OSError: If it is gone.
        """
        if not self._file.is_at_its_path():
            raise OSError(f"{self.path} was removed while it was needed: start again")

    def append(self, name: str, entry: Entry, replaced: Iterable[str] = ()) -> None:
        """Write an entry, in place of one of the same name and of others.

        Args:
            name: Its plain name.
            entry: A checked entry.
            replaced: Plain names of other entries that it replaces.

        Raises:
            OSError: If it cannot be written; the journal is as it was before.
        """
        replaced = list(replaced)
        place = self.end
        self.end = write_record(self._file, place, _ENTRY, encode(name, entry, replaced))
        self._note(name, replaced, place)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            self.sync()

    def append_pages(self, pages: bytes) -> None:
        """Write how the HDF5 file is going to be changed, and wait until it is on the disk.

        Raises:
            OSError: If it cannot be written; the journal is as it was before.
        """
        self._pages_at = self.end
        try:
            self.end = write_record(self._file, self.end, _PAGES, pages)
            self.sync()
            self.pages = pages
        except BaseException:
            self.drop_pages()
            raise

    def drop_pages(self) -> None:
        """Take back how the HDF5 file was going to be changed."""
        self.truncate(self._pages_at)

    def read(self, name: str, *, keys: Iterable[str] | None = None) -> Entry:
        """Return an entry.

        Args:
            name: One of :attr:`places`.
            keys: Which arrays are needed; all if left out.

        Raises:
            MovedError: If it is no longer there.
        """
        data = read_record(self._file, self.places[name])
        if data is None or decode_names(data)[0] != name:
            raise MovedError(name)
        return decode(data, keys=keys)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self._file.sync()
        self._synced = time.monotonic()

    def truncate(self, end: int = _START) -> None:
        """Take back all records from an offset on; all there are if it is left out."""
        self._file.truncate(end)
        self._clear()
        self._scan()

    def close(self) -> None:
        """Close the file, and remove it if it is this process's and empty."""
        remove = self.is_empty and not self._file.read_only and self._file.is_at_its_path()
        with suppress(OSError):
            if remove and os.name != "nt":
                self.path.unlink()
        self._file.close()
        with suppress(OSError):
            if remove and os.name == "nt":  # Windows removes no open file
                self.path.unlink()

    def _clear(self) -> None:
        self.places, self.replaced, self.folders = {}, set(), set()
        self.pages = None
        self.end = self._pages_at = _START

    def _scan(self) -> None:
        for offset, end, kind, data in read_records(self._file, _START):
            if kind == _ENTRY:
                self._note(*decode_names(data), offset)
            elif kind == _PAGES:
                self.pages, self._pages_at = data, offset
            self.end = end

    def _note(self, name: str, replaced: Iterable[str], offset: int) -> None:
        for other in replaced:
            self.places.pop(other, None)
            self.replaced.add(other)
        self.places[name] = offset
        self.replaced.discard(name)
        self.folders.update(parent_names(name))


def _holder(file: RawFile) -> str:
    number = file.read_at(len(_TITLE), _START - len(_TITLE)).strip().decode("ascii", "replace")
    return f"process {number}" if number else "another process"
