"""The files of one run in one folder, which appear together."""

import errno
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from gluestick.storage.atomic import (
    atomic_path,
    partial_target,
    remove_partial_files,
    writable_target,
)


@contextmanager
def files_together(folder: str | os.PathLike[str], names: Sequence[str]) -> Iterator[Path]:
    """Give a temporary folder, whose files appear in ``folder`` together at the end.

    When the block ends, what an earlier run left under the names goes, the last name first, and
    the new files come, the last name last. So at no moment does the folder hold files of two
    runs, and where the last one is there, all are: also after a kill, and after two processes
    that write to one folder, which take turns. When the block raises, the folder stays as it
    was, or is not there. Ctrl-C waits until the files are in place, which takes milliseconds.
    Symbolic links are followed, and permissions of earlier files are kept.

    Args:
        folder: Where to; missing folders are created.
        names: All files that a run may write, the one by which others know that it is complete
            last. A run may leave some of them out.

    Yields:
        The temporary folder.

    Raises:
        ValueError: If a folder or device is where a file is to be, or ``folder`` lies below a
            file.
        OSError: If the block raises it, or the files cannot be put in place.
    """
    missing = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    try:
        targets = {name: writable_target(Path(folder) / name) for name in names}
        remove_partial_files(Path(folder))
        with partial_target(Path(folder) / "run") as temporary:
            temporary.mkdir()
            yield temporary
            with _not_interrupted(), _turn_of_this_process(Path(folder)):
                _put_in_place(temporary, targets)
    except BaseException:
        with suppress(OSError):  # what others write to stays
            for path in missing:
                path.rmdir()
        raise


def _put_in_place(temporary: Path, targets: Mapping[str, Path]) -> None:
    for name, target in targets.items():
        if (temporary / name).exists() and target.exists():
            shutil.copymode(target, temporary / name)
    for target in reversed([*targets.values()]):
        target.unlink(missing_ok=True)
    for name, target in targets.items():
        if (temporary / name).exists():
            _move(temporary / name, target)


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a link leads to another file system
            raise
        with atomic_path(target) as copy:
            shutil.copyfile(source, copy)


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Let signals that end the process wait until the block has ended."""
    arrived: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        arrived.append(number)

    earlier = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is not None:  # None stands for one that Python cannot restore
                earlier[number] = handler
                signal.signal(number, remember)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        for late in arrived:
            signal.raise_signal(late)


@contextmanager
def _turn_of_this_process(folder: Path) -> Iterator[None]:
    """Wait until no other process puts files in place, where the system can tell."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
