"""An HDF5 file that grows: adding an entry costs what is added, and a kill takes no other."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from gluestick.storage.atomic import remove_partial_files, writable_target
from gluestick.storage.entries import Entry, check_entry, parent_names, plain_name
from gluestick.storage.h5.files import holds_data, open_h5
from gluestick.storage.h5.merge import finish_change, merge
from gluestick.storage.h5.reader import CONFIGURATION_ENTRY, H5Reader
from gluestick.storage.journal import Journal

MERGE_BYTES = 16 << 20
"""How large a journal becomes before its entries are moved into the file."""

MERGE_FRACTION = 1 / 32
"""The same as a part of a large file, whose tables of contents are written again each time."""


class H5Store(H5Reader):
    """Appends entries to an HDF5 file, which one process at a time may do.

    Use it in a ``with`` block. An entry is finished when :meth:`append` returns: it lies in a
    journal beside the file and outlives a killed process and a full disk. It is moved into the
    file when the journal is large and when the block ends, or by whoever opens the file next.

    Args:
        path: The HDF5 file. Missing folders are created.
        configuration: What the entries depend on, as JSON values by name, such as a
            fingerprint of the weights; kept in the entry ``run``. Left out, it needs none.
        keep_each: Whether an entry stays if the block raises later; if not, those since the
            last :meth:`keep` are taken back.
        replace_other: Whether a file of another configuration is removed instead of refused.

    Raises:
        ValueError: On entering, if the file is not HDF5, comes from another configuration, is
            open for writing in another program, or is written by another session
            (:class:`gluestick.storage.journal.LockedError`).
        OSError: On entering, if nothing can be written beside the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        configuration: Mapping[str, Any] | None = None,
        keep_each: bool = True,
        replace_other: bool = False,
    ) -> None:
        super().__init__(path)
        self._configuration = configuration
        self._keep_each = keep_each
        self._replace_other = replace_other
        self._kept = 0
        self._next_merge = 0  # bytes of the journal

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a store cannot be pickled: give its path, and let workers use H5Reader")

    def __enter__(self) -> "H5Store":
        self._target = writable_target(self.path)
        remove_partial_files(self._target.parent)
        self._journal = Journal.lock(self._target)
        self._process = os.getpid()
        try:
            self._open()
            self._configure()
        except BaseException:
            self._close()
            raise
        self._kept = self._own_journal().end
        self._plan_merge()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process != os.getpid():  # a forked child leaves the block of its parent
            return
        journal = self._own_journal()
        try:
            if error is not None and not self._keep_each:
                journal.truncate(self._kept)
            self._merge(may_copy=True)
        except BaseException as failure:
            if not self._keep_each and journal.pages is None and self._kept < journal.end:
                journal.truncate(self._kept)
            if error is None and isinstance(failure, Exception) and not journal.is_empty:
                raise OSError(
                    f"{failure}; what was finished is kept in {journal.path} and moved into the "
                    "file when it is opened next"
                ) from failure
            if error is None or not isinstance(failure, Exception):
                raise
        finally:
            self._close()

    def close(self) -> None:
        """Do what the end of the block does."""
        self.__exit__(None, None, None)

    def append(
        self,
        name: str,
        arrays: Mapping[str, Any],
        *,
        attributes: Mapping[str, Any] | None = None,
        array_attributes: Mapping[str, Mapping[str, Any]] | None = None,
        replaced: Iterable[str] = (),
    ) -> None:
        """Write one entry, in place of one of the same name.

        Args:
            name: Its path in the file; ``/`` separates nested groups.
            arrays: The datasets, by paths such as ``scores`` or ``points/scores``.
            attributes: Attributes of the group: texts, numbers and arrays.
            array_attributes: Attributes of single datasets, by the dataset's path.
            replaced: Other entries in whose place it comes.

        Raises:
            ValueError: If the name is empty, or nests one entry within another, or this
                process has not opened the file.
            TypeError: If an array is neither of numbers nor of bytes.
            OSError: If it cannot be written; all earlier entries stay.
        """
        if self._configuration is not None and plain_name(name) == CONFIGURATION_ENTRY:
            raise ValueError(f"an entry needs a name other than {name!r}: it is the configuration")
        self._append(name, arrays, attributes, array_attributes, replaced)

    def _append(
        self,
        name: str,
        arrays: Mapping[str, Any],
        attributes: Mapping[str, Any] | None = None,
        array_attributes: Mapping[str, Mapping[str, Any]] | None = None,
        replaced: Iterable[str] = (),
    ) -> None:
        journal = self._own_journal()
        entry = Entry(
            arrays={key: np.asarray(array) for key, array in arrays.items()},
            attributes=attributes or {},
            array_attributes=array_attributes or {},
        )
        check_entry(name, entry)
        name, others = plain_name(name), map(plain_name, replaced)
        self._check_place(name)
        finish_change(self._target, journal)
        journal.append(name, entry, [one for one in others if one != name and self.contains(one)])
        if self._keep_each:
            self.keep()

    def keep(self) -> None:
        """Have what was appended so far stay, whatever the block raises later."""
        journal = self._own_journal()
        if journal.end >= self._next_merge:
            with suppress(OSError, ValueError):  # the entries are safe where they are
                self._merge(may_copy=False)
            self._plan_merge()
        self._kept = journal.end

    def clear(self) -> None:
        """Remove all entries, but not what they depend on."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._target.unlink(missing_ok=True)
        self._own_journal().truncate()
        self._configure()
        self._kept = self._own_journal().end

    def _configure(self) -> None:
        if self._configuration is None:
            return
        needed = json.loads(json.dumps(self._configuration))
        if self._target.exists() or not self._own_journal().is_empty:
            found = self.configuration()
            if found == needed:
                return
            if not self._replace_other:
                raise ValueError(_differences(self.path, found, needed))
            self.clear()
            return
        text = json.dumps(needed, sort_keys=True)
        self._append(CONFIGURATION_ENTRY, {"version": 1}, {"configuration": text})
        self._merge(may_copy=True)

    def _open(self) -> None:
        journal = self._own_journal()
        finish_change(self._target, journal)
        if self._file is None and self._target.exists():
            self._file = open_h5(self._target)

    def _merge(self, *, may_copy: bool) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        merge(self._target, self._own_journal(), may_copy=may_copy)

    def _plan_merge(self) -> None:
        size = self._target.stat().st_size if self._target.exists() else 0
        self._next_merge = self._own_journal().end + max(MERGE_BYTES, int(MERGE_FRACTION * size))

    def _own_journal(self) -> Journal:
        if self._journal is None or self._process != os.getpid():
            raise ValueError(
                f"{self.path} is not open for writing in this process: use a store in the process "
                "and the with block that open it"
            )
        return self._journal

    def _check_place(self, name: str) -> None:
        """Check that an entry neither holds other entries nor lies in one."""
        journal = self._own_journal()
        if name in journal.places:
            return
        self._open()
        inside = name in journal.folders and any(
            other.startswith(f"{name}/") for other in journal.places
        )
        if inside or self._is_folder_in_file(name):
            raise ValueError(f"{name!r} is a folder of other entries in {self.path}")
        for parent in parent_names(name):
            if parent not in journal.folders and self.contains(parent):
                raise ValueError(f"{name!r} lies within the entry {parent!r} of {self.path}")

    def _is_folder_in_file(self, name: str) -> bool:
        with self._errors(name):
            if self._file is None or name not in self._file:
                return False
            return not holds_data(self._file, name) and len(self._file[name]) > 0


def _differences(path: Path, found: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    keys = [key for key in {**found, **needed} if found.get(key) != needed.get(key)]
    listed = "; ".join(
        f"{key} was {found.get(key)!r} and is now {needed.get(key)!r}" for key in keys
    )
    return (
        f"{path} comes from another run ({listed}): choose another output folder, or remove the "
        "file"
    )
