"""Records one behind the other in a file, of which half a one is never taken for a whole.

A record is a kind of four bytes, the number of bytes that follow, their CRC-32, the CRC-32 of
these three, and the bytes. Whatever a killed process, a full disk or a failing power supply
leaves of a record does not agree with these.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

from gluestick.storage.raw_file import RawFile

_HEAD = struct.Struct("<4sQI")
_CHECKSUM = struct.Struct("<I")
_HEAD_SIZE = _HEAD.size + _CHECKSUM.size


def write_record(file: RawFile, offset: int, kind: bytes, data: bytes) -> int:
    """Write a record.

    Args:
        file: The file.
        offset: Where it begins, which is where the records before it end.
        kind: Four bytes.
        data: What it holds.

    Returns:
        Where it ends.

    Raises:
        OSError: If it cannot be written; nothing of it is left.
    """
    head = _HEAD.pack(kind, len(data), zlib.crc32(data))
    try:
        file.write_at(offset, head + _CHECKSUM.pack(zlib.crc32(head)) + data)
    except BaseException:
        with suppress(OSError):
            file.truncate(offset)
        raise
    return offset + _HEAD_SIZE + len(data)


def read_record(file: RawFile, offset: int) -> bytes | None:
    """Return what the record at an offset holds, None if there is no whole one."""
    head = _read_head(file, offset)
    if head is None:
        return None
    _, size, checksum = head
    data = file.read_at(offset + _HEAD_SIZE, min(size, file.size))
    return data if len(data) == size and zlib.crc32(data) == checksum else None


def read_records(file: RawFile, offset: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield the whole records from an offset on; damaged ones are passed over.

    Yields:
        Where it begins, where it ends, its kind and what it holds.
    """
    while (head := _read_head(file, offset)) is not None:
        kind, size, _ = head
        end = offset + _HEAD_SIZE + size
        data = read_record(file, offset)
        if data is not None:
            yield offset, end, kind, data
        offset = end


def _read_head(file: RawFile, offset: int) -> tuple[bytes, int, int] | None:
    head = file.read_at(offset, _HEAD_SIZE)
    if len(head) < _HEAD_SIZE:
        return None
    if _CHECKSUM.pack(zlib.crc32(head[: _HEAD.size])) != head[_HEAD.size :]:
        return None
    return _HEAD.unpack_from(head)
