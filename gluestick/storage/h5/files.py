"""Entries in HDF5 files: groups that hold datasets, read and written with clear errors."""

import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gluestick.storage.entries import Entry

DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
"""What h5py raises for damaged files: HDF5 reports most of it as OSError or RuntimeError, and
damaged headers can ask for impossible types and sizes."""

WAIT_SECONDS = 5.0
"""How long another writer may hold a file for itself before it is refused."""


class MissingEntryError(ValueError):
    """A file has no entry of this name."""


def open_h5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises:
        ValueError: If there is no such file, it is not HDF5, is damaged, or is open for
            writing in another program.
        PermissionError: If it must not be read.
    """
    last = time.monotonic() + WAIT_SECONDS
    while True:
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        try:
            return h5py.File(path, "r")
        except PermissionError:
            raise
        except BlockingIOError as error:
            if time.monotonic() > last:
                raise ValueError(
                    f"{path} is open for writing in another program: close it there first"
                ) from error
            time.sleep(0.02)
        except DAMAGE as error:
            raise ValueError(f"{path} is not an HDF5 file, or is damaged: {error}") from error


def holds_data(file: h5py.Group, name: str) -> bool:
    """Return whether a group is an entry: whether any dataset lies directly in it."""
    group = file.get(name)
    return isinstance(group, h5py.Group) and any(
        group.get(key, getclass=True) is h5py.Dataset for key in group
    )


def entry_names(group: h5py.Group, *, within: str = "") -> Iterator[str]:
    """Yield the names of the entries in a group, at any depth."""
    for key in group:
        name = f"{within}{key}"
        if holds_data(group, key):
            yield name
        elif isinstance(group.get(key), h5py.Group):
            yield from entry_names(group[key], within=f"{name}/")


def read_entry(group: h5py.Group, *, keys: Iterable[str] | None = None) -> Entry:
    """Return what a group holds.

    Args:
        group: The group.
        keys: Which datasets are needed, as far as there are any; all if left out.

    Returns:
        The entry.
    """
    datasets: dict[str, h5py.Dataset] = {}

    def collect(key: str, value: Any) -> None:
        if isinstance(value, h5py.Dataset):
            datasets[key] = value

    if keys is None:
        group.visititems(collect)
    else:
        for key in keys:
            collect(key, group.get(key))
    return Entry(
        arrays={key: np.asarray(dataset[()]) for key, dataset in datasets.items()},
        attributes=dict(group.attrs),
        array_attributes={key: dict(dataset.attrs) for key, dataset in datasets.items()},
    )


def write_entry(file: h5py.File, name: str, entry: Entry) -> None:
    """Write an entry to a file that has none of this name."""
    if name in file:  # a folder whose entries are gone
        del file[name]
    group = file.create_group(name)
    group.attrs.update(entry.attributes)
    for key, array in entry.arrays.items():
        dataset = group.create_dataset(key, data=array)
        dataset.attrs.update(entry.array_attributes.get(key, {}))


def copy_missing(
    source: h5py.Group, target: h5py.Group, *, without: Collection[str], within: str = ""
) -> None:
    """Copy everything that a file lacks.

    Args:
        source: The file, or a group of it.
        target: The same group of the file to copy to; its entries stay as they are.
        without: Names of entries to leave out.
        within: Where the groups lie in their files, with ``/`` at the end.
    """
    for key, value in source.attrs.items():
        if key not in target.attrs:
            target.attrs[key] = value
    for key in source:
        name = f"{within}{key}"
        if name in without:
            continue
        if key not in target and any(other.startswith(f"{name}/") for other in without):
            target.create_group(key)
        if key not in target:
            source.copy(key, target, name=key, expand_external=False)
        elif isinstance(source[key], h5py.Group) and not holds_data(target, key):
            copy_missing(source[key], target[key], without=without, within=f"{name}/")


def numeric(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array as int64, float32 or bool.

    Args:
        array: The array.
        name: Its name, for the error message.

    Returns:
        The array, of the same shape.

    Raises:
        ValueError: If it is not numeric, or holds NaN or infinity.
    """
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} needs numbers, found {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype({"b": np.bool_, "f": np.float32}.get(array.dtype.kind, np.int64))
    if not np.isfinite(array).all():
        raise ValueError(f"{name} needs finite numbers, found NaN or infinity")
    return array
