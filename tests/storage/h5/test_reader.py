import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from child_processes import hold_for_writing, in_child

from gluestick.storage.h5 import files
from gluestick.storage.h5.files import MissingEntryError
from gluestick.storage.h5.reader import H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.storage.journal import Journal, journal_path

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs flock and fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two entries."""
    path = tmp_path / "store.h5"
    write(path, "a", "folder/b")
    return path


def write(path: Path, *names: str, value: float = 1.0) -> None:
    with H5Store(path) as store:
        for name in names:
            store.append(name, {"x": np.full(3, value), "n/y": 2}, attributes={"name": name})


def leave(path: Path, *names: str, value: float = 1.0) -> None:
    """Leave entries in a journal, as a killed process does."""
    store = H5Store(path).__enter__()
    for name in names:
        store.append(name, {"x": np.full(3, value), "n/y": 2}, attributes={"name": name})
    store._close()


def test_entries_of_this_package(path: Path) -> None:
    with H5Reader(path) as reader:
        assert reader.names() == ["a", "folder/b"]
        assert "/folder//b/" in reader
        for name in ("folder", "c", "", "/", "a/x"):
            assert name not in reader
            assert reader.attributes(name) == {}
            with pytest.raises(MissingEntryError, match=r"store\.h5 has no entry"):
                reader.read(name)
        entry = reader.read("folder/b")
        assert entry.attributes == {"name": "folder/b"}
        assert {key: array.tolist() for key, array in entry.arrays.items()} == {
            "x": [1, 1, 1],
            "n/y": 2,
        }
        assert list(reader.read("a", keys=["x", "z"]).arrays) == ["x"]
        assert reader.children("") == ["a", "folder"]
        assert reader.children("folder") == ["b"]
        assert reader.children("nowhere") == []


def test_entries_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "hloc.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["db/1.jpg/keypoints"] = np.zeros((2, 2), np.float16)
        file["run/keypoints"] = np.zeros((1, 2))
        file["nowhere"] = h5py.SoftLink("/gone")
        file.create_group("empty")
    with H5Reader(path) as reader:
        assert reader.names() == ["db/1.jpg", "run"]
        with pytest.raises(ValueError, match=r"hloc\.h5: 'run' cannot be read"):
            reader.configuration()


def test_what_a_killed_process_left_is_moved_into_the_file(path: Path) -> None:
    leave(path, "c", "a", value=5)
    assert journal_path(path).exists()
    with H5Reader(path) as reader:
        assert list(path.parent.iterdir()) == [path]
        assert reader.names() == ["a", "c", "folder/b"]
        assert reader.read("a").arrays["x"].tolist() == [5, 5, 5]


def test_what_cannot_be_moved_is_read_where_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(path, "c", "a", "folder/d", value=5)

    def refuse(target: Path) -> Journal:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Journal, "lock", refuse)
    with H5Reader(path) as reader:
        assert reader.names() == ["a", "c", "folder/b", "folder/d"]
        assert reader.children("folder") == ["b", "d"]
        assert reader.read("a").arrays["x"].tolist() == [5, 5, 5]
        assert reader.read("folder/b").arrays["x"].tolist() == [1, 1, 1]
    assert journal_path(path).exists()


def test_a_file_half_changed_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(path, "c")
    journal = Journal.lock(path)
    journal.append_pages(b"pages")
    journal.close()
    monkeypatch.setattr(Journal, "lock", refused)
    monkeypatch.setattr("gluestick.storage.h5.reader.WAIT_SECONDS", 0.05)
    with pytest.raises(ValueError, match="was being changed when its writer was killed"):
        H5Reader(path).names()


def refused(target: Path) -> Journal:
    raise PermissionError(13, "Permission denied")


def test_what_is_being_written_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "store.h5"
    with H5Store(path) as store:
        with pytest.raises(ValueError, match="no file"):
            H5Reader(path).names()
        store.append("a", {"x": 1})
        with H5Reader(path) as reader:
            assert reader.names() == ["a"]
            store.append("a", {"x": 2})
            store.append("b", {"x": 3})
            assert reader.names() == ["a"]  # as it was when it was opened
            assert reader.read("a").arrays["x"] == 1
    assert H5Reader(path).read("a").arrays["x"] == 2


def test_entries_that_move_while_they_are_read(path: Path) -> None:
    with H5Store(path) as store:
        store.append("c", {"x": 1})
        with H5Reader(path) as reader:
            store._merge(may_copy=True)
            assert reader.read("c").arrays["x"] == 1
            store.append("d", {"x": 2})
            assert "d" not in reader


def test_what_another_entry_replaced_is_not_there(path: Path) -> None:
    with H5Store(path) as store:
        store.append("folder/c", {"x": 1}, replaced=["folder/b"])
        with H5Reader(path) as reader:
            assert reader.names() == ["a", "folder/c"]
            assert reader.children("folder") == ["c"]
            assert "folder/b" not in reader
            with pytest.raises(MissingEntryError):
                reader.read("folder/b")


@POSIX
def test_readers_are_pickled_and_forked(path: Path) -> None:
    with H5Reader(path) as reader:
        assert pickle.loads(pickle.dumps(reader)).names() == reader.names()
        child = os.fork()
        if child == 0:
            try:
                os._exit(int(reader.read("a").arrays["x"].sum()))
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert reader.names() == ["a", "folder/b"]
    assert reader.read("a").arrays["n/y"] == 2  # opened again


def test_errors_of_the_block_name_the_entry(path: Path) -> None:
    def refuse() -> None:
        with H5Reader(path) as reader, reader.entry("a"):
            raise ValueError("x needs to be larger")

    with pytest.raises(ValueError, match=r"store\.h5: 'a' cannot be read: x needs to be larger"):
        refuse()


def test_bad_files_are_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "store.h5"
    with pytest.raises(ValueError, match="no file"):
        H5Reader(path).names()
    path.write_text("not HDF5")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        H5Reader(path).names()


@POSIX
def test_a_file_that_another_program_writes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WAIT_SECONDS", 0.1)
    ready = tmp_path / "ready"
    with in_child(lambda: hold_for_writing(path, ready), ready):
        for use in (H5Reader(path).names, H5Store(path).__enter__):
            with pytest.raises(ValueError, match="is open for writing in another program"):
                use()
        assert set(tmp_path.iterdir()) == {path, ready}
    assert H5Reader(path).names() == ["a", "folder/b"]
