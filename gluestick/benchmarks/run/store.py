"""Files with one entry per pair: predictions and results.

An entry ``/pairs/NAME`` holds the arrays of one pair, with ``/`` and ``%`` in its name written
as in web addresses. The attribute ``configuration`` of the entry ``/run`` holds, as JSON, what
the entries depend on.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from gluestick.storage.h5_reader import H5Reader
from gluestick.storage.h5_store import H5Store

Configuration = Mapping[str, Any]
"""What entries depend on: JSON values by name."""

_PAIRS = "pairs"
_SAFE = " +@#,()!=&'$:"


class PairWriter:
    """Adds entries to a file, made to be stopped at any time.

    Use it in a ``with`` block. Every pair that was added stays, whatever happens then; see
    :class:`gluestick.storage.h5_store.H5Store`.

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

    def __enter__(self) -> "PairWriter":
        self._store.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.__exit__(kind, error, trace)

    def __contains__(self, name: str) -> bool:
        return self._store.contains(_entry(name))

    def add(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write the entry of one pair, in place of an earlier one.

        Args:
            name: The name of the pair.
            arrays: Arrays and numbers, by paths such as ``points/scores``.

        Raises:
            OSError: If the file cannot be written.
        """
        self._store.append(_entry(name), {"name": np.bytes_(name.encode()), **arrays})

    def read(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of one pair; see :meth:`PairReader.read`."""
        return _arrays(self._store, name)

    def names(self) -> list[str]:
        """Return the names of the pairs in alphabetical order."""
        return _names(self._store)

    def clear(self) -> None:
        """Remove all pairs."""
        self._store.clear()


class PairReader:
    """Reads the entries of a file, which is opened once.

    Use it in a ``with`` block. See :class:`gluestick.storage.h5_reader.H5Reader`.

    Args:
        path: The HDF5 file.

    Raises:
        ValueError: On entering, if there is no such file, it is damaged, or it is not one of
            these.
    """

    def __init__(self, path: Path) -> None:
        self._reader = H5Reader(path)

    def __enter__(self) -> "PairReader":
        self._reader.__enter__()
        try:
            self.configuration = self._reader.configuration()
        except BaseException:
            self._reader.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def __contains__(self, name: str) -> bool:
        return self._reader.contains(_entry(name))

    def names(self) -> list[str]:
        """Return the names of the pairs in alphabetical order."""
        return _names(self._reader)

    def read(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of one pair, by paths such as ``points/scores``.

        Raises:
            ValueError: If there is no such pair, or the file is damaged.
        """
        return _arrays(self._reader, name)


def read_configuration(path: Path) -> dict[str, Any]:
    """Return what the entries of a file depend on.

    Raises:
        ValueError: If there is no such file, it is damaged, or it is not one of these.
    """
    with PairReader(path) as reader:
        return reader.configuration


def read_names(path: Path) -> list[str]:
    """Return the names of the pairs in a file, in alphabetical order.

    Raises:
        ValueError: If there is no such file, or it is damaged.
    """
    with PairReader(path) as reader:
        return reader.names()


def read_pair(path: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of one pair; for many, :class:`PairReader` is faster.

    Raises:
        ValueError: If there is no such file or pair, or the file is damaged.
    """
    with PairReader(path) as reader:
        return reader.read(name)


def _arrays(reader: H5Reader, name: str) -> dict[str, np.ndarray]:
    with reader.entry(_entry(name)) as entry:
        arrays = dict(entry.arrays)
        if arrays.pop("name", None) is None:
            raise ValueError("it has no name")
    return arrays


def _names(reader: H5Reader) -> list[str]:
    return sorted(unquote(key) for key in reader.children(_PAIRS))


def _entry(name: str) -> str:
    return f"{_PAIRS}/{quote(name, safe=_SAFE)}"
