"""Files with one entry per pair: predictions and results.

An entry ``/pairs/NAME`` holds the arrays of one pair, with ``/`` and ``%`` in its name written
as in web addresses. The attribute ``configuration`` of the entry ``/run`` holds, as JSON, what
the entries depend on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from gluestick.storage.h5.reader import EntryFile, H5Reader
from gluestick.storage.h5.store import H5Store

Configuration = Mapping[str, Any]
"""What entries depend on: JSON values by name."""

_PAIRS = "pairs"
_SAFE = " +@#,()!=&'$:"


class _PairFile(EntryFile):
    """What a reader and a writer tell of the pairs in a file."""

    def __contains__(self, name: str) -> bool:
        return self._entries.contains(_entry(name))

    def names(self) -> list[str]:
        """Return the names of the pairs in alphabetical order."""
        return sorted(unquote(key) for key in self._entries.children(_PAIRS))

    def read(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of one pair, by paths such as ``points/scores``.

        Raises:
            ValueError: If there is no such pair, or the file is damaged.
        """
        with self._entries.entry(_entry(name)) as entry:
            arrays = dict(entry.arrays)
            if arrays.pop("name", None) is None:
                raise ValueError("it has no name")
        return arrays


class PairWriter(_PairFile):
    """Adds entries to a file, made to be stopped at any time.

    Use it in a ``with`` block. Every pair that was added stays, whatever happens then; see
    :class:`gluestick.storage.h5.store.H5Store`.

    Args:
        path: The HDF5 file. Missing folders are created.
        configuration: What the entries depend on.
        replace_other: Whether a file whose entries depend on something else is removed instead
            of refused.

    Raises:
        ValueError: On entering, if there is a file that cannot be read, whose entries depend on
            something else, or that another process writes.
    """

    def __init__(
        self, path: Path, configuration: Configuration, *, replace_other: bool = False
    ) -> None:
        self.path = path
        self._store = H5Store(path, configuration=configuration, replace_other=replace_other)
        super().__init__(self._store)

    def add(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write the entry of one pair, in place of an earlier one.

        Args:
            name: The name of the pair.
            arrays: Arrays and numbers, by paths such as ``points/scores``.

        Raises:
            OSError: If the file cannot be written.
        """
        self._store.append(_entry(name), {"name": np.bytes_(name.encode()), **arrays})

    def clear(self) -> None:
        """Remove all pairs."""
        self._store.clear()


class PairReader(_PairFile):
    """Reads the entries of a file, which is opened once.

    Use it in a ``with`` block. See :class:`gluestick.storage.h5.reader.H5Reader`.

    Args:
        path: The HDF5 file.

    Attributes:
        configuration: What the entries depend on.

    Raises:
        ValueError: On entering, if there is no such file, it is damaged, or it is not one of
            these.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(H5Reader(path))

    def __enter__(self) -> "PairReader":
        super().__enter__()
        try:
            self.configuration = self._entries.configuration()
        except BaseException:
            self._entries.close()
            raise
        return self


def _entry(name: str) -> str:
    return f"{_PAIRS}/{quote(name, safe=_SAFE)}"
