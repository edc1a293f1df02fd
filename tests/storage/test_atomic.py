import os
from pathlib import Path

import pytest
from child_processes import in_child, sleep

from gluestick.storage.atomic import atomic_path, remove_partial_files


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "folder" / "näme.txt"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            assert not temporary.exists()
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_error_leaves_the_earlier_file(tmp_path, error):
    path = tmp_path / "data.bin"
    path.write_bytes(b"earlier")

    def interrupted_write():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        interrupted_write()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_error_while_replacing_removes_the_temporary(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no rename here")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no rename"), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("text")
    assert list(tmp_path.iterdir()) == []


def test_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(OSError), atomic_path(tmp_path / "a"):
        pass


def test_folder_and_device_are_rejected(tmp_path):
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(ValueError, match="folder or device"), atomic_path(path):
            pass


def test_file_on_the_way_is_rejected(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "below"
    with pytest.raises(ValueError, match="a folder on the way is a file"), atomic_path(path):
        pass


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_link_is_followed_and_permissions_are_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("earlier")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell whether a process lives")
def test_what_killed_processes_left_is_removed(tmp_path):
    path, ready = tmp_path / "data.bin", tmp_path / "ready"

    def write_and_sleep():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            sleep(ready)

    with in_child(write_and_sleep, ready), atomic_path(path) as own:
        own.write_text("whole")
        remove_partial_files(tmp_path)  # both are being written
        assert len(list(tmp_path.glob(".partial-*"))) == 2
    (left,) = tmp_path.glob(".partial-*")
    others = [left.with_name(name) for name in (".partial-x", f"{left.name[:17]}-x-1", ".other")]
    same_number = left.with_name(f"{left.name[:17]}-{os.getpid()}-00.bin")  # a process before this
    for other in (*others, same_number):
        other.touch()
    remove_partial_files(tmp_path)
    assert set(tmp_path.iterdir()) == {path, ready, *others}
    assert path.read_text() == "whole"
