import errno
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from child_processes import hold_for_writing, in_child, kill, sleep

from gluestick.storage.h5 import files
from gluestick.storage.h5.reader import H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.storage.journal import LockedError, journal_path
from gluestick.storage.raw_file import RawFile

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs flock and fork")
CONFIGURATION = {"fingerprint": "0123", "max_num_keypoints": 512, "sizes": (4, 3)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.h5"


def values(path: Path) -> dict[str, float]:
    with H5Reader(path) as reader:
        return {name: float(reader.read(name).arrays["x"].max()) for name in reader.names()}


def test_entries_are_appended_and_read(path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3), "n/y": np.array(True)}
    with H5Store(path) as store:
        assert store.names() == []
        store.append("/folder//a/", arrays, attributes={"k": "v"}, array_attributes={"x": {"u": 2}})
        for _ in range(2):  # in the journal, and then in the file
            assert "folder/a" in store
            assert "folder" not in store
            assert store.names() == ["folder/a"]
            entry = store.read("folder/a")
            np.testing.assert_array_equal(entry.arrays["x"], arrays["x"])
            assert entry.arrays["n/y"]
            assert entry.attributes == {"k": "v"}
            assert entry.array_attributes["x"] == {"u": 2}
            store._merge(may_copy=True)
        store.append("b", {"x": 1})
    assert list(path.parent.iterdir()) == [path]
    with h5py.File(path) as file:
        assert set(file) == {"folder", "b"}
        assert file["folder/a/x"].attrs["u"] == 2


def test_an_entry_is_finished_when_append_returns(path: Path) -> None:
    with H5Store(path) as store:
        for number in range(3):
            store.append(str(number), {"x": number})
            assert values(path) == {str(n): n for n in range(number + 1)}
        assert not path.exists()
        assert journal_path(path).exists()


def test_the_latest_of_one_name_counts(path: Path) -> None:
    with H5Store(path) as store:
        store.append("a", {"x": 1})
        store.append("a", {"x": 2})
        assert store.read("a").arrays["x"] == 2
    with H5Store(path) as store:
        store.append("a", {"x": 3})
        store.append("b", {"x": 4}, replaced=["a", "nowhere"])
        assert "a" not in store
        store.append("a", {"x": 5})
    assert values(path) == {"a": 5, "b": 4}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
@pytest.mark.parametrize("keep_each", [True, False])
def test_an_error_in_the_block(path: Path, error: type[BaseException], keep_each: bool) -> None:
    def add_and_stop() -> None:
        with H5Store(path, keep_each=keep_each) as store:
            store.append("a", {"x": 1})
            store.append("b", {"x": 1})
            store.keep()
            store.append("a", {"x": 2})
            store.append("c", {"x": 2})
            raise error("stop")

    with pytest.raises(error, match="stop"):
        add_and_stop()
    assert values(path) == ({"a": 2, "b": 1, "c": 2} if keep_each else {"a": 1, "b": 1})
    assert list(path.parent.iterdir()) == [path]


def test_names_that_nest_are_refused(path: Path) -> None:
    with H5Store(path) as store:
        store.append("folder/a", {"x": 1})
        for _ in range(2):  # in the journal, and then in the file
            with pytest.raises(ValueError, match="'folder' is a folder of other entries"):
                store.append("folder", {"x": 1})
            with pytest.raises(ValueError, match="lies within the entry 'folder/a'"):
                store.append("folder/a/b/c", {"x": 1})
            store._merge(may_copy=True)
        store.append("b", {"x": 1}, replaced=["folder/a"])
        store.append("folder/a/b", {"x": 2})
    assert values(path) == {"b": 1, "folder/a/b": 2}


def test_what_hdf5_cannot_hold_is_refused_at_once(path: Path) -> None:
    with H5Store(path) as store:
        store.append("a", {"x": 1})
        with pytest.raises(TypeError, match="x needs numbers or bytes"):
            store.append("b", {"x": object()})
        with pytest.raises(ValueError, match="NUL"):
            store.append("b\0", {"x": 1})
    assert values(path) == {"a": 1}


def test_a_file_says_what_its_entries_depend_on(path: Path) -> None:
    for number in range(2):
        with H5Store(path, configuration=CONFIGURATION) as store:
            store.append(str(number), {"x": number})
            with pytest.raises(ValueError, match="it is the configuration"):
                store.append("run", {"x": 1})
    with H5Reader(path) as reader:
        assert reader.configuration() == CONFIGURATION | {"sizes": [4, 3]}
        assert reader.names() == ["0", "1"]
    other = {"fingerprint": "4567", "max_num_keypoints": 512, "max_num_lines": 3}
    message = (
        "comes from another run .fingerprint was '0123' and is now '4567'; sizes was .4, 3. and "
        "is now None; max_num_lines was None and is now 3.: choose another"
    )
    with pytest.raises(ValueError, match=message), H5Store(path, configuration=other):
        pass
    assert list(path.parent.iterdir()) == [path]
    with H5Store(path, configuration=other, replace_other=True) as store:
        assert store.names() == []
        assert store.configuration() == other
        store.append("2", {"x": 2})
    assert values(path) == {"2": 2}


def test_a_store_is_cleared(path: Path) -> None:
    for configuration in (None, CONFIGURATION):
        with H5Store(path, configuration=configuration, keep_each=False) as store:
            store.append("a", {"x": 1})
            store._merge(may_copy=True)
            store.append("b", {"x": 2})
            store.clear()
            assert store.names() == []
            store.append("a", {"x": 3})
        assert values(path) == {"a": 3}
        path.unlink()


def test_a_file_without_a_configuration_is_refused(path: Path) -> None:
    with H5Store(path) as store:
        store.append("a", {"x": 1})
    with (
        pytest.raises(ValueError, match="has no entry 'run'"),
        H5Store(path, configuration=CONFIGURATION),
    ):
        pass


def test_what_a_killed_run_began_is_checked_too(path: Path) -> None:
    store = H5Store(path, configuration=CONFIGURATION).__enter__()
    store.append("a", {"x": 1})
    store._close()
    with (
        pytest.raises(ValueError, match="fingerprint"),
        H5Store(path, configuration={"fingerprint": "4567"}),
    ):
        pass
    with H5Store(path, configuration=CONFIGURATION) as store:
        assert "a" in store


def test_only_the_block_writes(path: Path) -> None:
    store = H5Store(path)
    with pytest.raises(ValueError, match="not open for writing"):
        store.append("a", {"x": 1})
    with store:
        store.append("a", {"x": 1})
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(store)
    with pytest.raises(ValueError, match="not open for writing"):
        store.append("b", {"x": 1})
    with store:
        store.append("c", {"x": 1})
        store.close()
    assert values(path) == {"a": 1, "c": 1}


def test_bad_targets_are_one_clear_error(path: Path, tmp_path: Path) -> None:
    path.write_text("not HDF5")
    with pytest.raises(ValueError, match="not an HDF5 file"), H5Store(path):
        pass
    assert path.read_text() == "not HDF5"
    for bad, message in ((tmp_path, "folder or device"), (path / "a.h5", "is a file")):
        with pytest.raises(ValueError, match=message), H5Store(bad):
            pass
    assert list(tmp_path.iterdir()) == [path]


@POSIX
def test_a_second_writer_is_told_so(path: Path) -> None:
    link = path.with_name("link.h5")
    link.symlink_to(path)
    with H5Store(path) as store:
        store.append("a", {"x": 1})
        for other in (path, link):
            with pytest.raises(
                LockedError, match=f"written by process {os.getpid()}: wait"
            ) as error:
                H5Store(other).__enter__()
            assert "\n" not in str(error.value)
        with in_child(lambda: _told_so(path), path.with_name("told")):
            pass
    path.with_name("told").unlink()
    with H5Store(link) as store:
        store.append("b", {"x": 2})
    assert link.is_symlink()
    assert values(path) == {"a": 1, "b": 2}


def _told_so(path: Path) -> None:
    try:
        H5Store(path).__enter__()
    except LockedError:
        sleep(path.with_name("told"))


@POSIX
@pytest.mark.parametrize("started", ["forked", "executed"])
def test_a_killed_writer_refuses_nobody_whatever_its_children_do(
    path: Path, tmp_path: Path, started: str
) -> None:
    ready, number = tmp_path / "ready", tmp_path / "number"

    def write_and_start() -> None:
        with H5Store(path) as store:
            store.append("a", {"x": 1})
            if started == "executed":
                child = subprocess.Popen(["sleep", "60"], close_fds=False).pid
            else:
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
            number.write_text(str(child))
            sleep(ready)

    with in_child(write_and_start, ready) as writer:
        child = int(number.read_text())
        with pytest.raises(LockedError, match=f"process {writer}"):
            H5Store(path).__enter__()
        kill(writer)
        try:
            os.kill(child, 0)  # it lives
            with H5Store(path) as store:
                store.append("b", {"x": 2})
        finally:
            os.kill(child, 9)
    assert values(path) == {"a": 1, "b": 2}


@POSIX
def test_a_forked_child_neither_writes_nor_ends_what_it_inherits(path: Path) -> None:
    with H5Store(path) as store:
        store.append("a", {"x": 1})
        child = os.fork()
        if child == 0:
            try:
                with pytest.raises(ValueError, match="not open for writing in this process"):
                    store.append("b", {"x": 2})
                store.__exit__(None, None, None)
                os._exit(3)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        store.append("c", {"x": 3})
    assert values(path) == {"a": 1, "c": 3}


@POSIX
def test_a_target_that_another_program_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAIT_SECONDS", 0.05)
    ready = path.with_name("ready")
    with H5Store(path) as store:
        store.append("a", {"x": 1})
    store = H5Store(path).__enter__()
    store.append("b", {"x": 2})
    store._merge(may_copy=True)
    store.append("c", {"x": 3})
    store._file.close()  # as long as it is open, no other program may write it
    store._file = None
    with in_child(lambda: hold_for_writing(path, ready), ready):
        with pytest.raises(OSError, match=r"another program.*; what was finished is kept"):
            store.close()
        assert journal_path(path).exists()
    ready.unlink()
    assert values(path) == {"a": 1, "b": 2, "c": 3}
    assert list(path.parent.iterdir()) == [path]


class FullDisk:
    """A disk that has no more space after some writes; the last one is half done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.left = number
        self.write_at = RawFile.write_at
        disk = self

        def write_at(file: RawFile, offset: int, data: bytes) -> None:
            disk.left -= 1
            if disk.left >= 0:
                disk.write_at(file, offset, data)
                return
            if disk.left == -1:
                disk.write_at(file, offset, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(RawFile, "write_at", write_at)


@pytest.mark.parametrize("replace", [False, True])
def test_a_full_disk_takes_nothing_that_was_finished(
    path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    """The disk is full at each write in turn: while appending, while moving, while copying."""
    names = ["earlier", "a", "b", "earlier" if replace else "c", "d"]
    monkeypatch.setattr(RawFile, "sync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("gluestick.storage.h5.store.MERGE_BYTES", 2500)
    refused, number = 0, 0
    while refused == number:
        with H5Store(path) as store:
            store.append("earlier", {"x": np.zeros(100)})
        finished = {"earlier": 0.0}
        with monkeypatch.context() as disk:
            FullDisk(disk, number)
            try:
                with H5Store(path) as store:
                    for value, name in enumerate(names):
                        store.append(name, {"x": np.full(100, value)})
                        finished[name] = float(value)
            except OSError:
                refused += 1
            assert values(path) == finished  # also while the disk is full
        with H5Store(path):
            pass
        assert values(path) == finished
        assert list(path.parent.iterdir()) == [path]
        path.unlink()
        number += 1
    assert number > 30


@POSIX
def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "support" / "killed_writer.py"
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "11"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    at_steps, at_random = (int(line.split()[0]) for line in result.stdout.splitlines())
    assert at_steps > 20
    assert at_random > 10


class Counter:
    """Counts the bytes that are read and written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = self.read = 0
        write_at, read_at = RawFile.write_at, RawFile.read_at

        def count_written(file: RawFile, offset: int, data: bytes) -> None:
            self.written += len(data)
            write_at(file, offset, data)

        def count_read(file: RawFile, offset: int, size: int) -> bytes:
            found = read_at(file, offset, size)
            self.read += len(found)
            return found

        monkeypatch.setattr(RawFile, "write_at", count_written)
        monkeypatch.setattr(RawFile, "read_at", count_read)


def test_appending_costs_what_is_appended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gluestick.storage.h5.store.MERGE_BYTES", 100_000)
    monkeypatch.setattr(RawFile, "sync", lambda _: None)
    counter = Counter(monkeypatch)
    arrays = {"descriptors": np.ones((128, 16), np.float32), "scores": np.ones(16)}  # 8320 bytes
    tenths, seconds = [], []
    with H5Store(path) as store:
        for number in range(600):
            if number % 60 == 0:
                tenths.append((counter.written, counter.read))
            started = time.process_time()
            store.append(f"folder/{number:04}.jpg", arrays)
            seconds.append(time.process_time() - started)
    tenths.append((counter.written, counter.read))
    assert counter.written < 2.2 * path.stat().st_size
    for first, last in zip(*np.diff(tenths, axis=0)[[1, -2]], strict=True):
        assert last < 1.1 * first
    assert np.median(seconds[-60:]) < 3 * np.median(seconds[:60])

    before = counter.written
    for number in range(5):  # each in a session of its own
        with H5Store(path) as store:
            store.append(f"folder/more {number}.jpg", arrays)
    assert counter.written - before < 5 * (2.2 * 8320 + 40_000) < path.stat().st_size / 10
    assert len(H5Reader(path).names()) == 605


def test_a_reader_of_many_entries_opens_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with H5Store(path) as store:
        for number in range(5):
            store.append(str(number), {"x": number})
    opened = []
    original = h5py.File.__init__

    def opening(file: h5py.File, name: object, *arguments, **options) -> None:
        if isinstance(name, Path):
            opened.append(name)
        original(file, name, *arguments, **options)

    monkeypatch.setattr(h5py.File, "__init__", opening)
    assert values(path) == {str(n): n for n in range(5)}
    assert opened == [path]


def test_stale_temporary_files_are_removed(path: Path) -> None:
    from gluestick.storage.atomic import _host

    gone = path.with_name(f".partial-{_host()}-999999999-00.json")
    foreign = path.with_name(".partial-00000000-999999999-00.json")
    for file in (gone, foreign):
        file.touch()
    with H5Store(path) as store:
        store.append("a", {"x": 1})
    assert set(path.parent.iterdir()) == {path, foreign}
