"""HDF5 files whose groups are replaced all at once, and read with clear errors."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from gluestick.storage.atomic import atomic_path

# What h5py raises for damaged files: HDF5 reports most of it as OSError or RuntimeError, and
# damaged headers can ask for impossible types and sizes.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)


class MissingEntryError(ValueError):
    """A file has no entry of this name."""


class H5Session:
    """Adds groups to an HDF5 file; the file changes only when the session ends well.

    New groups go into a temporary file. At the end of the ``with`` block, and at each
    :meth:`flush`, the groups of the earlier file that were not replaced are copied behind them,
    and the result takes the earlier file's place in one step. An error in the block discards
    what was added since the last flush. Replaced groups leave no dead space. Of two sessions
    on one file at the same time, the one that ends last wins.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._earlier: h5py.File | None = None
        self._added: h5py.File | None = None
        self._removed: set[str] = set()
        self._temporary = ExitStack()

    def __enter__(self) -> "H5Session":
        if self.path.exists():
            self._earlier = _open(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._commit()
        except BaseException as failure:
            kind, error, trace = type(failure), failure, failure.__traceback__
            raise
        finally:
            self._discard(kind, error, trace)

    def flush(self) -> None:
        """Put everything that was added so far in place."""
        if self._added is None:
            return
        self._commit()
        self._earlier = _open(self.path)

    def contains(self, name: str) -> bool:
        """Return whether the group ``name`` holds data, in the file or in this session."""
        return self._find(name) is not None

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of the group ``name``, none if it does not hold data."""
        group = self._find(name)
        return {} if group is None else dict(group.attrs)

    def remove(self, name: str) -> None:
        """Remove the group ``name`` if it holds data."""
        if self._find(name) is None:
            return
        self._removed.add(name)
        if name in self._writable():
            del self._writable()[name]

    def replace(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        *,
        attributes: Mapping[str, Any] | None = None,
        array_attributes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Write one group, in place of one of the same name.

        Args:
            name: The group's path in the file; ``/`` separates nested groups.
            arrays: The datasets by name.
            attributes: Attributes of the group.
            array_attributes: Attributes of single datasets, by the dataset's name.

        Raises:
            ValueError: If the name is empty, or nests one entry within another.
            OSError: If the file cannot be written.
        """
        with _write_errors(self.path):
            self._check_name(name)
            file = self._writable()
            if name in file:
                del file[name]
            self._removed.discard(name)
            group = file.create_group(name)
            group.attrs.update(attributes or {})
            for key, array in arrays.items():
                dataset = group.create_dataset(key, data=array)
                dataset.attrs.update((array_attributes or {}).get(key, {}))

    def _writable(self) -> h5py.File:
        if self._added is None:
            temporary = self._temporary.enter_context(atomic_path(self.path))
            self._added = h5py.File(temporary, "w")
        return self._added

    def _find(self, name: str) -> h5py.Group | None:
        files = (self._added, None if name in self._removed else self._earlier)
        with _write_errors(self.path):
            for file in files:
                if file is not None and _holds_data(file, name):
                    return file[name]
        return None

    def _files(self) -> tuple[h5py.File | None, h5py.File | None]:
        return self._added, self._earlier

    def _check_name(self, name: str) -> None:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or "\0" in name:
            raise ValueError(f"a name needs at least one character and no NUL, found {name!r}")
        parents = ["/".join(parts[:end]) for end in range(1, len(parts))]
        for file in self._files():
            if file is None:
                continue
            if name in file and not _holds_data(file, name) and len(file[name]) > 0:
                raise ValueError(f"{name!r} is a folder of other entries in {self.path}")
            for parent in parents:
                if parent in file and _holds_data(file, parent):
                    raise ValueError(f"{name!r} lies within the entry {parent!r} of {self.path}")

    def _commit(self) -> None:
        if self._added is None:
            return
        with _write_errors(self.path):
            if self._earlier is not None:
                _copy_missing(self._earlier, self._added)
                self._earlier.close()
                self._earlier = None
            for name in self._removed:
                if name in self._added:
                    del self._added[name]
            self._removed.clear()
            self._added.close()
            self._added = None
        self._temporary.close()

    def _discard(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files():
            if file is not None:
                with suppress(OSError, RuntimeError):
                    file.close()
        self._earlier = self._added = None
        with suppress(BaseException):
            self._temporary.__exit__(kind, error, trace)


@contextmanager
def open_group(path: str | os.PathLike[str], name: str) -> Iterator[h5py.Group]:
    """Open one group for reading; whatever is wrong with the file is one kind of error.

    Args:
        path: An HDF5 file.
        name: The group's path in the file.

    Yields:
        The group.

    Raises:
        ValueError: If there is no such file, it is not HDF5, it is damaged, or it has no data
            under this name.
    """
    with _open(Path(path)) as file:
        try:
            found = _holds_data(file, name)
            if found:
                yield file[name]
        except _DAMAGE as error:
            raise ValueError(f"{path}: {name!r} cannot be read: {error}") from error
        if not found:
            raise MissingEntryError(f"{path} has no entry {name!r}")


def read_array(group: h5py.Group, name: str) -> np.ndarray:
    """Return a numeric dataset as int64, float32 or bool.

    Args:
        group: The group that holds it.
        name: The dataset's name.

    Returns:
        The array, of the dataset's shape.

    Raises:
        ValueError: If it is not numeric, or holds NaN or infinity.
    """
    array = np.asarray(group[name][()])
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} needs numbers, found {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype({"b": np.bool_, "f": np.float32}.get(array.dtype.kind, np.int64))
    if not np.isfinite(array).all():
        raise ValueError(f"{name} needs finite numbers, found NaN or infinity")
    return array


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, KeyError) as error:  # HDF5's reports of full disks and damage
        raise OSError(
            f"{path} cannot be written (is the disk full, or the earlier file damaged?): {error}"
        ) from error


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        return h5py.File(path, "r")
    except (PermissionError, BlockingIOError):
        raise
    except _DAMAGE as error:
        raise ValueError(f"{path} is not an HDF5 file, or is damaged: {error}") from error


def _holds_data(file: h5py.File, name: str) -> bool:
    group = file.get(name)
    return isinstance(group, h5py.Group) and any(
        isinstance(group.get(key), h5py.Dataset) for key in group
    )


def _copy_missing(source: h5py.Group, target: h5py.Group) -> None:
    for key, value in source.attrs.items():
        if key not in target.attrs:
            target.attrs[key] = value
    for key in source:
        if key not in target:
            source.copy(key, target, name=key, expand_external=False)
        elif isinstance(source[key], h5py.Group) and not _holds_data(target, key):
            _copy_missing(source[key], target[key])
