"""Unpacking archives that others made: nothing may land outside the folder."""

import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
)

Report = Callable[[int, int], None]
"""Is told the bytes that are unpacked and those that there will be."""


class _Entry(NamedTuple):
    """A file or folder in an archive.

    Attributes:
        name: Its path.
        size: Its bytes when unpacked; None for a folder.
        open: Opens it for reading.
    """

    name: str
    size: int | None
    open: Callable[[], IO[bytes] | None]


def no_report(done: int, total: int) -> None:
    """Show nothing."""


def unpack(archive: Path, folder: Path, *, report: Report = no_report) -> list[Path]:
    """Unpack a zip or tar archive.

    Everything is unpacked to a temporary folder beside, and moved into place when all of it is
    there, so that a run that is stopped leaves no half of it.

    Args:
        archive: A ``.zip``, ``.tar``, ``.tar.gz`` or the like.
        folder: Where its content is put. Missing folders are created; files and folders of the
            same names at its top are replaced.
        report: Is told how far it is.

    Returns:
        What is now at the top of the folder.

    Raises:
        ValueError: If the file is no such archive or damaged, or an entry is a link or a
            device, or would land outside the folder, or there is not enough space.
        OSError: If something cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        try:
            _unpack_all(archive, temporary, report)
        except _DAMAGE as error:
            raise ValueError(
                f"{archive} is damaged ({error}): remove it and fetch it again"
            ) from error
        return [_move(path, folder / path.name) for path in sorted(temporary.iterdir())]
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_all(archive: Path, folder: Path, report: Report) -> None:
    if zipfile.is_zipfile(archive):
        opened: zipfile.ZipFile | tarfile.TarFile = zipfile.ZipFile(archive)
    elif tarfile.is_tarfile(archive):
        opened = tarfile.open(archive)  # noqa: SIM115
    else:
        raise ValueError(
            f"{archive} needs to be a zip or tar archive: remove it and fetch it again"
        )
    with closing(opened):
        entries = list(_entries(opened))
        targets = [_target(archive, folder, entry.name) for entry in entries]
        total = sum(entry.size or 0 for entry in entries)
        free = shutil.disk_usage(folder).free
        if total > free:
            raise ValueError(f"{archive} needs {total} bytes when unpacked, but {free} are free")
        done = 0
        for entry, target in zip(entries, targets, strict=True):
            if entry.size is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            done += _write(archive, entry, target)
            report(done, total)


def _entries(opened: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Entry]:
    if isinstance(opened, zipfile.ZipFile):
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{opened.filename} holds a link or device {info.filename!r}")
            size = None if info.is_dir() else info.file_size
            yield _Entry(info.filename, size, partial(opened.open, info))
    else:
        for member in opened.getmembers():
            if not (member.isfile() or member.isdir()):
                raise ValueError(f"{opened.name!s} holds a link or device {member.name!r}")
            size = None if member.isdir() else member.size
            yield _Entry(member.name, size, partial(opened.extractfile, member))


def _target(archive: Path, folder: Path, name: str) -> Path:
    """Return where an entry goes, which has to be inside the folder."""
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    if unsafe or any(":" in part for part in path.parts[:1]):
        raise ValueError(f"{archive} has an entry that would land outside the folder: {name!r}")
    return folder.joinpath(*path.parts)


def _write(archive: Path, entry: _Entry, target: Path) -> int:
    source = entry.open()
    if source is None:
        raise ValueError(f"{archive} is damaged: {entry.name!r} cannot be read")
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        written = file.tell()
    if written != entry.size:
        raise ValueError(f"{archive} is damaged: {entry.name!r} has {written} bytes")
    return written


def _move(source: Path, target: Path) -> Path:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    source.replace(target)
    return target
