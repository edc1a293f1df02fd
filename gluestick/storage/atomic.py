"""Writing files so that nobody ever sees half of one."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path, whose file takes the place of ``path`` at the end.

    The temporary file lies in the same folder and has the same suffix. It replaces ``path`` in
    one step when the block ends, and is removed when the block raises: a full disk, an error or
    an interrupt leaves what was at ``path`` as it was. (A process that is killed outright
    leaves the earlier file intact too, and a hidden ``.partial-*`` file beside it.) A
    symbolic link is followed, and the permissions of an earlier file are kept.

    Args:
        path: The file to write. Missing folders are created.

    Yields:
        The path to write to. No file exists there yet.

    Raises:
        ValueError: If ``path`` is a folder or another thing that is not a file, or lies below
            a file.
        OSError: If the block raises it, or the file cannot be put in place.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"a file is to be written to {path}, but a folder or device is there")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{path} cannot be written: a folder on the way is a file") from error
    temporary = target.with_name(f".partial-{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        _flush_to_disk(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    # Windows flushes only what is open for writing.
    with path.open("r+b") as file:
        os.fsync(file.fileno())
