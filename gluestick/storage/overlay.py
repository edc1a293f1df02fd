"""Changing a file later: HDF5 writes into an overlay, and the change is done in one go."""

import os
import struct

from gluestick.storage.raw_file import RawFile

_PAGE = 512
_SUMMARY = struct.Struct("<QQQ")  # bytes before the change, after it, and where new ones begin
_OFFSET = struct.Struct("<Q")


class Overlay:
    """A file object for HDF5 that leaves what a file holds so far as it is.

    HDF5 cannot back out of an error and may crash on one, so none is raised: the first is kept
    in ``error``, and nothing is written after it.
    """

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._base = self._end = file.size
        self._position = 0
        self._pages: dict[int, bytearray] = {}
        self.error: BaseException | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset from the start or the end, and return it from the start."""
        self._position = offset + (self._end if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        """Return the offset."""
        return self._position

    def read(self, size: int) -> bytes:
        """Return that many bytes, zeros where there are none."""
        found = bytearray(size)
        try:
            start, stop = self._position, self._position + size
            stored = self._file.read_at(start, size)
            found[: len(stored)] = stored
            for number in self._numbers(start, stop):
                page, at = self._pages.get(number), number * _PAGE - start
                if page is not None:
                    part = page[max(-at, 0) : size - at]
                    found[max(at, 0) : max(at, 0) + len(part)] = part
        except BaseException as error:
            self.error = self.error or error
        return bytes(found)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all bytes."""
        try:
            if self.error is None:
                self._write(memoryview(data).cast("B"))
        except BaseException as error:
            self.error = self.error or error
        return len(data)

    def truncate(self, size: int) -> None:
        """Set where the file is going to end."""
        self._end = size

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def change(self) -> bytes:
        """Return what has to be done to the file itself, for :func:`apply_change`."""
        pages = sorted(self._pages.items())
        parts = [_SUMMARY.pack(self._file.size, self._end, self._base)]
        parts += [_OFFSET.pack(number * _PAGE) + page for number, page in pages]
        return b"".join(parts)

    def _write(self, data: memoryview) -> None:
        start, stop = self._position, self._position + len(data)
        for number in self._numbers(start, stop):
            if number not in self._pages:
                size = min(_PAGE, self._base - number * _PAGE)
                self._pages[number] = bytearray(self._file.read_at(number * _PAGE, size))
            page, at = self._pages[number], number * _PAGE - start
            part = data[max(at, 0) : at + len(page)]
            page[max(-at, 0) : max(-at, 0) + len(part)] = part
        if stop > self._base:
            behind = max(start, self._base)
            self._file.write_at(behind, data[behind - start :])
        self._end = max(self._end, stop)

    def _numbers(self, start: int, stop: int) -> range:
        """Return the pages of the earlier file between two offsets."""
        stop = min(stop, self._base)
        return range(start // _PAGE, -(-stop // _PAGE)) if stop > start else range(0)


def sizes_of_change(change: bytes) -> tuple[int, int]:
    """Return how many bytes a file has before a change and after it."""
    before, after, _ = _SUMMARY.unpack_from(change)
    return before, after


def apply_change(file: RawFile, change: bytes) -> None:
    """Do to a file what an overlay of it says; doing it again changes nothing.

    Args:
        file: The file.
        change: What :meth:`Overlay.change` gave.
    """
    _, size, base = _SUMMARY.unpack_from(change)
    offset = _SUMMARY.size
    while offset < len(change):
        (place,) = _OFFSET.unpack_from(change, offset)
        offset += _OFFSET.size
        page = memoryview(change)[offset : offset + min(_PAGE, base - place)]
        file.write_at(place, page)
        offset += len(page)
    file.truncate(size)
    file.sync()
