"""Writing files so that nobody ever sees half of one."""

import os
import platform
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = ".partial"
_being_written: set[str] = set()


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path, whose file takes the place of ``path`` at the end.

    The temporary file lies in the same folder and has the same suffix. It replaces ``path`` in
    one step when the block ends, and is removed when the block raises: a full disk, an error or
    an interrupt leaves what was at ``path`` as it was. (A process that is killed outright
    leaves the earlier file intact too, and a hidden ``.partial-*`` file beside it, which
    :func:`remove_partial_files` finds.) A symbolic link is followed, and the permissions of an
    earlier file are kept.

    Args:
        path: The file to write. Missing folders are created.

    Yields:
        The path to write to. No file exists there yet.

    Raises:
        ValueError: If ``path`` is a folder or another thing that is not a file, or lies below
            a file.
        OSError: If the block raises it, or the file cannot be put in place.
    """
    target = writable_target(path)
    with partial_target(target) as temporary:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        _flush_to_disk(temporary)
        temporary.replace(target)


@contextmanager
def partial_target(target: Path) -> Iterator[Path]:
    """Give a hidden path beside another; the file or folder that is there at the end is removed.

    Args:
        target: What it lies beside, in a folder that exists. Its suffix is taken.

    Yields:
        The path, which nothing has yet and :func:`remove_partial_files` leaves alone.
    """
    token = f"{_host()}-{os.getpid()}-{secrets.token_hex(8)}"
    temporary = target.with_name(f"{_PARTIAL}-{token}{target.suffix}")
    _being_written.add(temporary.name)
    try:
        yield temporary
    finally:
        _remove(temporary)
        _being_written.discard(temporary.name)


def writable_target(path: str | os.PathLike[str]) -> Path:
    """Return where a file is to be written, links followed, and create the folders on the way.

    Raises:
        ValueError: If ``path`` is a folder or another thing that is not a file, or lies below
            a file.
    """
    target = Path(os.path.realpath(path))
    if _is_no_file(target):
        raise ValueError(f"a file is to be written to {path}, but a folder or device is there")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{path} cannot be written: a folder on the way is a file") from error
    return target


def _is_no_file(path: Path) -> bool:
    """Tell so of what is there, asked once: other processes come and go."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def remove_partial_files(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder that they wrote to."""
    if os.name == "nt":  # where nothing tells whether a process lives
        return
    for path in folder.glob(f"{_PARTIAL}-{_host()}-*"):
        number = path.name.split("-")[2]
        if path.name in _being_written or not number.isdecimal():
            continue
        if int(number) == os.getpid() or not _is_alive(int(number)):
            with suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _flush_to_disk(path: Path) -> None:
    # Windows flushes only what is open for writing.
    with path.open("r+b") as file:
        os.fsync(file.fileno())
