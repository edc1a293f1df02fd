"""Reading an HDF5 file of entries, opened once, also while it is being written."""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import h5py

from gluestick.storage.entries import Entry, plain_name
from gluestick.storage.h5.files import (
    DAMAGE,
    WAIT_SECONDS,
    MissingEntryError,
    entry_names,
    holds_data,
    open_h5,
    read_entry,
)
from gluestick.storage.h5.merge import merge
from gluestick.storage.journal import Journal, LockedError, MovedError, journal_path

_inherited: list[h5py.File] = []

CONFIGURATION_ENTRY = "run"
"""The entry whose attribute ``configuration`` says, as JSON, what the others depend on."""


class H5Reader:
    """The entries of an HDF5 file, as they are when it is opened.

    Use it in a ``with`` block, or call :meth:`close`. What a killed process left beside the file
    is moved into it first. While another process writes the file, its finished entries are
    read as well. A reader may be pickled and used in forked workers, which open the file
    themselves.

    Args:
        path: The HDF5 file, of this package or any other program.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._target = Path(os.path.realpath(path))
        self._file: h5py.File | None = None
        self._journal: Journal | None = None
        self._process: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)

    def __enter__(self) -> "H5Reader":
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._journal is not None:
            self._journal.close()
        self._file = self._journal = self._process = None

    def __contains__(self, name: str) -> bool:
        return self.contains(name)

    def contains(self, name: str) -> bool:
        """Return whether there is an entry of this name.

        Raises:
            ValueError: If the file cannot be read.
        """
        self._open()
        name = plain_name(name)
        if self._journal is not None and name in self._journal.places:
            return True
        return self._is_in_file(name)

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of an entry, none if there is none of this name."""
        return dict(self.read(name, keys=()).attributes) if self.contains(name) else {}

    def names(self) -> list[str]:
        """Return the names of all entries, in alphabetical order.

        Raises:
            ValueError: If the file cannot be read.
        """
        self._open()
        with self._errors("the names"):
            found = set() if self._file is None else set(entry_names(self._file))
        if self._journal is not None:
            found = (found - self._journal.replaced) | self._journal.places.keys()
        if CONFIGURATION_ENTRY in found and self._says_configuration():
            found.remove(CONFIGURATION_ENTRY)
        return sorted(found)

    def children(self, folder: str) -> list[str]:
        """Return what lies directly in a folder of entries, in alphabetical order.

        Raises:
            ValueError: If the file cannot be read.
        """
        self._open()
        folder = plain_name(folder)
        start = f"{folder}/" if folder else ""
        with self._errors(folder):
            group = None if self._file is None else self._file.get(folder or "/")
            found = set(group) if isinstance(group, h5py.Group) else set()
        if self._journal is not None:
            length = len(start)
            found -= {name[length:] for name in self._journal.replaced if name.startswith(start)}
            inside = (name for name in self._journal.places if name.startswith(start))
            found.update(name[length:].partition("/")[0] for name in inside)
        return sorted(found)

    def read(self, name: str, *, keys: Iterable[str] | None = None) -> Entry:
        """Return an entry; arguments and errors are those of :meth:`entry`."""
        with self.entry(name, keys=keys) as entry:
            return entry

    @contextmanager
    def entry(self, name: str, *, keys: Iterable[str] | None = None) -> Iterator[Entry]:
        """Give an entry to a block whose errors about it then name the file and the entry.

        Args:
            name: Its name.
            keys: Which arrays are needed, as far as there are any; all if left out.

        Yields:
            The entry.

        Raises:
            MissingEntryError: If there is none of this name, a ``ValueError``.
            ValueError: If the file or the entry cannot be read, or the block refuses it.
        """
        self._open()
        with self._errors(name):
            try:
                entry = self._read(name, keys)
            except MovedError:  # the writer has just moved it into the file
                self._close()
                self._open()
                entry = self._read(name, keys)
            yield entry

    def configuration(self) -> dict[str, Any]:
        """Return what the entries depend on.

        Raises:
            ValueError: If the file cannot be read, or does not say.
        """
        with self.entry(CONFIGURATION_ENTRY, keys=()) as entry:
            return dict(json.loads(entry.attributes["configuration"]))

    def _says_configuration(self) -> bool:
        return "configuration" in self.read(CONFIGURATION_ENTRY, keys=()).attributes

    def _open(self) -> None:
        """Open what there is, if this process has not done so."""
        if self._process == os.getpid():
            return
        if self._file is not None:  # closing it would end the lock of the process it is from
            _inherited.append(self._file)
        self._file = self._journal = None
        if journal_path(self._target).exists():
            self._journal = _recovered(self._target)
        # The journal comes first: what is moved out of it meanwhile is in the file then.
        if self._target.exists() or self._journal is None or self._journal.is_empty:
            self._file = open_h5(self._target)
        self._process = os.getpid()

    def _read(self, name: str, keys: Iterable[str] | None) -> Entry:
        name = plain_name(name)
        if self._journal is not None and name in self._journal.places:
            return self._journal.read(name, keys=keys)
        if not self._is_in_file(name) or self._file is None:
            raise MissingEntryError(f"{self.path} has no entry {name!r}")
        return read_entry(self._file[name], keys=keys)

    def _is_in_file(self, name: str) -> bool:
        if self._file is None or not name:
            return False
        if self._journal is not None and name in self._journal.replaced:
            return False
        with self._errors(name):
            return holds_data(self._file, name)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except MissingEntryError:
            raise
        except DAMAGE as error:
            raise ValueError(f"{self.path}: {name!r} cannot be read: {error}") from error


def _recovered(target: Path) -> Journal | None:
    """Move what a killed process left into the file, or return what cannot be moved."""
    try:
        journal = Journal.lock(target)
    except (LockedError, OSError):
        return _look(target)
    try:
        merge(target, journal, may_copy=True)
    except OSError:
        journal.close()
        return _look(target)
    except BaseException:
        journal.close()
        raise
    journal.close()
    return None


def _look(target: Path) -> Journal | None:
    """Return what is being written, or was left where nothing can be written, to be read only."""
    last = time.monotonic() + WAIT_SECONDS
    while True:
        journal = Journal.look(target)
        if journal is None or journal.pages is None:
            return journal
        journal.close()
        if time.monotonic() > last:
            raise ValueError(
                f"{target} was being changed when its writer was killed, and cannot be written "
                "now: make it and its folder writable, or free some space"
            )
        time.sleep(0.02)


Owner = TypeVar("Owner", bound="EntryFile")


class EntryFile:
    """A file of one kind of entries, open during its ``with`` block.

    Args:
        entries: What reads or writes the file.
    """

    def __init__(self, entries: H5Reader) -> None:
        self._entries = entries

    def __enter__(self: Owner) -> Owner:
        self._entries.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entries.__exit__(kind, error, trace)
