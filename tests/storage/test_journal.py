import os
from pathlib import Path

import numpy as np
import pytest

from gluestick.storage.entries import Entry
from gluestick.storage.journal import Journal, LockedError, MovedError, journal_path


def entry(value: float, size: int = 20) -> Entry:
    return Entry(arrays={"values": np.full(size, value), "end": np.array(255, np.uint8)})


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


@pytest.fixture
def content(target: Path) -> bytes:
    """The bytes of a journal with three entries, as a killed process leaves it."""
    journal = Journal.lock(target)
    for number, name in enumerate(("a", "b", "folder/c")):
        journal.append(name, entry(number))
    journal.close()
    return journal_path(target).read_bytes()


def found(target: Path) -> dict[str, float]:
    journal = Journal.lock(target)
    values = {name: float(journal.read(name).arrays["values"][0]) for name in journal.places}
    journal.close()
    return values


def test_entries_are_found_again(target: Path, content: bytes) -> None:
    assert found(target) == {"a": 0, "b": 1, "folder/c": 2}
    journal = Journal.lock(target)
    assert journal.folders == {"folder"}
    journal.append("a", entry(5))
    journal.append("d", entry(6), replaced=["b", "elsewhere"])
    journal.close()
    assert found(target) == {"a": 5, "folder/c": 2, "d": 6}
    assert Journal.look(target).replaced == {"b", "elsewhere"}


def test_an_empty_journal_is_removed_and_another_is_kept(target: Path) -> None:
    Journal.lock(target).close()
    assert not journal_path(target).exists()
    assert Journal.look(target) is None
    journal = Journal.lock(target)
    journal.append("a", entry(1))
    journal.close()
    assert journal_path(target).exists()


def test_one_writer_at_a_time(target: Path) -> None:
    first = Journal.lock(target)
    with pytest.raises(LockedError, match=f"is being written by process {os.getpid()}"):
        Journal.lock(target)
    first.close()
    Journal.lock(target).close()


def test_the_lock_is_on_the_journal_that_is_there(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that is removed between opening and locking it is not taken."""
    original = Journal.lock.__globals__["RawFile"].try_lock
    removed = []

    def remove_and_lock(file, **options):
        if not removed:
            removed.append(file.path)
            file.path.unlink()
        return original(file, **options)

    monkeypatch.setattr(Journal.lock.__globals__["RawFile"], "try_lock", remove_and_lock)
    journal = Journal.lock(target)
    journal.append("a", entry(1))
    assert removed == [journal.path]
    assert journal.path.exists()
    journal.check_place()
    journal.path.unlink()
    with pytest.raises(OSError, match="was removed"):
        journal.check_place()


@pytest.mark.parametrize("garbage", [b"", b"\0" * 5000, b"ENTR" + b"\7" * 300])
def test_a_torn_end_is_cut(target: Path, content: bytes, garbage: bytes) -> None:
    path = journal_path(target)
    length = len(content)
    cuts = [*range(0, 60, 7), length // 2, *range(length - 60, length, 11), length]
    for cut in cuts:
        path.write_bytes(content[:cut] + garbage)
        if cut < 20 and garbage.strip(b"\0"):  # not even the title is there
            with pytest.raises(ValueError, match="not a journal"):
                Journal.lock(target)
            continue
        journal = Journal.lock(target)
        names = list(journal.places)
        assert names == ["a", "b", "folder/c"][: len(names)]
        assert len(names) == sum(cut >= end for end in ends(content))
        journal.append("new", entry(9))
        journal.close()
        assert list(found(target)) == [*names, "new"]
        path.unlink()


def ends(content: bytes) -> list[int]:
    starts = [at for at in range(len(content)) if content[at : at + 4] == b"ENTR"]
    return [*starts[1:], len(content)]


def test_a_damaged_entry_takes_no_other(target: Path, content: bytes) -> None:
    for position in range(ends(content)[0] + 30, ends(content)[1], 17):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        journal_path(target).write_bytes(damaged)
        assert found(target) == {"a": 0, "folder/c": 2}


def test_another_file_of_this_name_is_refused_and_kept(target: Path) -> None:
    journal_path(target).write_text("my diary")
    for use in (Journal.lock, Journal.look):
        with pytest.raises(ValueError, match="not a journal of gluestick"):
            use(target)
    assert journal_path(target).read_text() == "my diary"


def test_a_reader_is_told_what_has_moved(target: Path, content: bytes) -> None:
    reader = Journal.look(target)
    writer = Journal.lock(target)
    assert reader.read("b").arrays["values"][0] == 1
    writer.truncate()
    with pytest.raises(MovedError):
        reader.read("b")
    writer.append("a", entry(4))
    writer.append("x", entry(5))  # where b was
    assert writer.places["x"] == reader.places["b"]
    with pytest.raises(MovedError):
        reader.read("b")


def test_a_failed_write_leaves_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.lock(target)
    journal.append("a", entry(1))
    before = journal.path.read_bytes()
    file = journal._file
    original = file.write_at

    def fail(offset, data):
        original(offset, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "write_at", fail)
    with pytest.raises(OSError, match="No space left"):
        journal.append("b", entry(2))
    with pytest.raises(OSError, match="No space left"):
        journal.append_pages(b"pages")
    assert journal.path.read_bytes() == before
    assert journal.pages is None
    assert list(journal.places) == ["a"]


def test_taking_back(target: Path) -> None:
    journal = Journal.lock(target)
    journal.append("a", entry(1))
    mark = journal.end
    journal.append("a", entry(2))
    journal.append("b", entry(2), replaced=["c"])
    journal.append_pages(b"pages")
    assert not journal.is_empty
    journal.truncate(mark)
    assert journal.read("a").arrays["values"][0] == 1
    assert (list(journal.places), journal.replaced, journal.pages) == (["a"], set(), None)
    journal.truncate()
    assert journal.is_empty
