import os
import subprocess
import sys
from pathlib import Path

import pytest

from gluestick.storage.raw_file import RawFile

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs flock and fork")


def test_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = RawFile(path, create=True)
    file.write_at(0, b"0123456789")
    file.write_at(3, memoryview(b"xy"))
    assert path.read_bytes() == b"012xy56789"  # without closing or flushing
    assert file.read_at(8, 100) == b"89"
    assert file.read_at(50, 3) == b""
    file.truncate(4)
    assert (file.size, file.read_at(0, 9)) == (4, b"012x")
    file.close()
    again = RawFile(path, create=True)
    assert again.read_at(0, 9) == b"012x"
    again.close()


def test_a_missing_file_is_only_created_where_it_is_wanted(tmp_path: Path) -> None:
    for options in ({}, {"read_only": True}):
        with pytest.raises(FileNotFoundError):
            RawFile(tmp_path / "a", **options)


def test_writing_goes_on_where_the_kernel_took_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RawFile(tmp_path / "a", create=True)

    class Slow:
        def __init__(self, inner) -> None:
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def write(self, data) -> int:
            return self.inner.write(data[:3])

        def read(self, size) -> bytes:
            return self.inner.read(min(size, 2))

    monkeypatch.setattr(file, "_file", Slow(file._file))
    file.write_at(1, b"0123456789")
    assert file.read_at(0, 99) == b"\x000123456789"


@POSIX
def test_locks_exclude_each_other(tmp_path: Path) -> None:
    first, second = (RawFile(tmp_path / "a", create=True) for _ in range(2))
    assert first.try_lock()
    assert not second.try_lock()
    assert not second.try_lock(shared=True)
    assert first.try_lock(shared=True)
    assert second.try_lock(shared=True)
    assert not first.try_lock()
    second.close()
    assert first.try_lock()


@POSIX
def test_a_file_knows_whether_it_is_at_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = RawFile(path, create=True)
    assert file.is_at_its_path()
    stamp = file.stamp
    file.write_at(0, b"a")
    assert file.stamp != stamp
    path.unlink()
    assert not file.is_at_its_path()
    path.touch()
    assert not file.is_at_its_path()


@POSIX
def test_no_child_inherits_a_file(tmp_path: Path) -> None:
    file = RawFile(tmp_path / "a", create=True)
    number = file._file.fileno()
    child = os.fork()
    if child == 0:
        try:
            os.fstat(number)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    code = f"import os\ntry: os.fstat({number})\nexcept OSError: print('closed')"
    started = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, close_fds=False
    )
    assert started.stdout.strip() == b"closed"
    file.write_at(0, b"still open here")
