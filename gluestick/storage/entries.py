"""One entry of a file: its arrays and attributes, also as the bytes of a journal."""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_KINDS = "biufcS"
_LARGEST_ATTRIBUTE = 60_000
"""Bytes; HDF5 keeps an attribute in an object's header, which has 64 KiB."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a group of an HDF5 file holds.

    Attributes:
        arrays: The datasets, by paths such as ``scores`` or ``points/scores``.
        attributes: The attributes of the group: texts, numbers and arrays.
        array_attributes: Attributes of single datasets, by the dataset's path.
    """

    arrays: Mapping[str, np.ndarray]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    array_attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def plain_name(name: str) -> str:
    """Return a name without empty parts, empty if there are no others."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def parent_names(name: str) -> list[str]:
    """Return the folders in which a plain name lies, the outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def check_entry(name: str, entry: Entry) -> None:
    """Check that HDF5 can hold an entry.

    Raises:
        ValueError: If a name is empty, has NUL or cannot be written as UTF-8, an array lies
            within another, or an attribute is too large.
        TypeError: If an array or attribute is neither of numbers nor of bytes.
    """
    for text in (name, *entry.arrays):
        if not plain_name(text) or "\0" in text:
            raise ValueError(f"a name needs at least one character and no NUL, found {text!r}")
        _check_text(text)
    keys = set(entry.arrays)
    for key in keys:
        if key != plain_name(key) or keys & set(parent_names(key)):
            raise ValueError(f"{name!r}: the array {key!r} has no place beside {sorted(keys)}")
        if entry.arrays[key].dtype.kind not in _KINDS:
            raise TypeError(
                f"{name!r}: {key} needs numbers or bytes, found {entry.arrays[key].dtype}"
            )
    if not keys.issuperset(entry.array_attributes):
        raise ValueError(f"{name!r} has attributes of arrays it lacks: {entry.array_attributes}")
    for attributes in (entry.attributes, *entry.array_attributes.values()):
        for key, value in attributes.items():
            _check_attribute(f"{name!r}: the attribute {key!r}", key, value)


def encode(name: str, entry: Entry, replaced: Iterable[str]) -> bytes:
    """Return an entry as bytes: a header in JSON, and the arrays as they are in memory.

    Args:
        name: Its plain name.
        entry: What :func:`check_entry` accepts.
        replaced: Entries of other names whose place it takes.

    Returns:
        The bytes.
    """
    header = {
        "name": name,
        "replaced": list(replaced),
        "attributes": _written(entry.attributes),
        "arrays": [
            [key, array.dtype.str, array.shape, _written(entry.array_attributes.get(key, {}))]
            for key, array in entry.arrays.items()
        ],
    }
    text = json.dumps(header).encode("ascii")
    return b"".join(
        [_LENGTH.pack(len(text)), text, *(array.tobytes() for array in entry.arrays.values())]
    )


def decode_names(data: bytes) -> tuple[str, list[str]]:
    """Return the name of an entry from its bytes, and the names that it replaces."""
    header = _header(data)
    return header["name"], header["replaced"]


def decode(data: bytes, *, keys: Iterable[str] | None = None) -> Entry:
    """Return an entry from its bytes.

    Args:
        data: What :func:`encode` gave.
        keys: Which arrays are needed; all if left out.

    Returns:
        The entry.
    """
    header = _header(data)
    offset = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    needed = None if keys is None else set(keys)
    arrays, array_attributes = {}, {}
    for key, dtype, shape, attributes in header["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        if needed is None or key in needed:
            flat = np.frombuffer(data, dtype=dtype, count=count, offset=offset)
            arrays[key] = flat.reshape(shape).copy()
            array_attributes[key] = _read(attributes)
        offset += count * np.dtype(dtype).itemsize
    return Entry(
        arrays=arrays, attributes=_read(header["attributes"]), array_attributes=array_attributes
    )


def _header(data: bytes) -> dict[str, Any]:
    (length,) = _LENGTH.unpack_from(data)
    header: dict[str, Any] = json.loads(data[_LENGTH.size : _LENGTH.size + length])
    return header


def _written(attributes: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, value in attributes.items():
        array = np.asarray(value)
        own = [array.dtype.str, array.shape, array.tobytes().hex()]
        written[key] = value if isinstance(value, str) else own
    return written


def _read(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        if isinstance(value, str):
            found[key] = value
        else:
            dtype, shape, data = value
            found[key] = np.frombuffer(bytes.fromhex(data), dtype).reshape(shape)[()]
    return found


def _check_attribute(what: str, key: str, value: Any) -> None:
    if not key or "\0" in key or (isinstance(value, str) and "\0" in value):
        raise ValueError(f"{what} needs a name and no NUL")
    _check_text(key)
    if isinstance(value, str):
        _check_text(value)
        return
    array = np.asarray(value)
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"{what} needs text, numbers or bytes, found {array.dtype}")
    if array.nbytes + len(key) > _LARGEST_ATTRIBUTE:
        raise ValueError(f"{what} needs at most {_LARGEST_ATTRIBUTE} bytes, found {array.nbytes}")


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} cannot be written as UTF-8") from error
