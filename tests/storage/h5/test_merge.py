import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from gluestick.storage.entries import Entry
from gluestick.storage.h5.files import entry_names, read_entry
from gluestick.storage.h5.merge import merge
from gluestick.storage.journal import Journal

IN_PLACE = pytest.mark.skipif(os.name == "nt", reason="Windows copies")


def add(target: Path, *names: str, value: float = 1.0, replaced: tuple[str, ...] = ()) -> Journal:
    journal = Journal.lock(target)
    for name in names:
        arrays = {"x": np.full(50, value), "y": np.arange(3)}
        journal.append(name, Entry(arrays=arrays, attributes={"name": name}), replaced)
    return journal


def add_and_merge(target: Path, *names: str, **options) -> None:
    journal = add(target, *names, **options)
    merge(target, journal, may_copy=True)
    assert journal.is_empty
    journal.close()


def content(target: Path) -> dict[str, float]:
    with h5py.File(target, "r") as file:
        found = {name: read_entry(file[name]) for name in entry_names(file)}
    assert all(entry.attributes["name"] == name for name, entry in found.items())
    return {name: entry.arrays["x"][49] for name, entry in found.items()}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


@IN_PLACE
def test_a_file_grows_in_place(target: Path) -> None:
    add_and_merge(target, "folder/a", "b")
    number = target.stat().st_ino
    with h5py.File(target, "r") as file:
        offset = file["b/x"].id.get_offset()
    for count in range(40):
        add_and_merge(target, f"folder/{count}", value=count)
    assert target.stat().st_ino == number
    with h5py.File(target, "r") as file:
        assert file["b/x"].id.get_offset() == offset
    assert content(target) == {"b": 1, "folder/a": 1} | {f"folder/{n}": n for n in range(40)}
    assert list(target.parent.iterdir()) == [target]


@IN_PLACE
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_of_another_program_grows(target: Path, libver: str) -> None:
    with h5py.File(target, "w", libver=libver) as file:
        file.attrs["origin"] = "elsewhere"
        for number in range(30):
            file[f"db/{number}/x"] = np.ones(50)
            file[f"db/{number}"].attrs["name"] = f"db/{number}"
    number = target.stat().st_ino
    add_and_merge(target, "a", "db/a")
    assert target.stat().st_ino == number
    assert len(content(target)) == 32
    add_and_merge(target, "db/3", value=7)
    found = content(target)
    assert (len(found), found["db/3"], found["db/4"]) == (32, 7, 1)
    with h5py.File(target, "r") as file:
        assert file.attrs["origin"] == "elsewhere"


def test_replaced_entries_leave_no_space(target: Path) -> None:
    add_and_merge(target, "a", "folder/b", "folder/c", "d/e")
    size = target.stat().st_size
    add_and_merge(target, "folder/b", value=2)
    assert target.stat().st_size <= size
    add_and_merge(target, "f", value=3, replaced=("folder/c", "d/e"))
    assert content(target) == {"a": 1, "folder/b": 2, "f": 3}
    assert target.stat().st_size < size


@IN_PLACE
def test_a_reader_keeps_what_it_has_open(target: Path) -> None:
    add_and_merge(target, "a")
    with h5py.File(target, "r") as file:
        journal = add(target, "b")
        merge(target, journal, may_copy=False)
        assert not journal.is_empty
        assert list(entry_names(file)) == ["a"]
        merge(target, journal, may_copy=True)
        assert journal.is_empty
        journal.close()
        assert list(entry_names(file)) == ["a"]
        assert file["a/x"][0] == 1
    assert content(target) == {"a": 1, "b": 1}


@IN_PLACE
def test_a_reader_that_comes_meanwhile_is_waited_for(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_and_merge(target, "a")
    journal = add(target, "b")
    append_pages = journal.append_pages

    def open_and_append(pages: bytes) -> None:
        reader.append(h5py.File(target, "r"))
        append_pages(pages)

    reader: list[h5py.File] = []
    monkeypatch.setattr(journal, "append_pages", open_and_append)
    monkeypatch.setattr("gluestick.storage.h5.merge.LOCK_SECONDS", 0.01)
    size = target.stat().st_size
    merge(target, journal, may_copy=False)
    assert (list(journal.places), journal.pages) == (["b"], None)
    assert target.stat().st_size == size
    assert list(entry_names(reader[0])) == ["a"]
    reader[0].close()
    monkeypatch.setattr(journal, "append_pages", append_pages)
    merge(target, journal, may_copy=False)
    journal.close()
    assert content(target) == {"a": 1, "b": 1}


@IN_PLACE
def test_what_another_program_wrote_after_a_kill_is_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_and_merge(target, "a")
    journal = add(target, "b")

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gluestick.storage.h5.merge.apply_change", stop)
    with pytest.raises(KeyboardInterrupt):
        merge(target, journal, may_copy=True)
    monkeypatch.undo()
    journal.close()
    with h5py.File(target, "a") as file:
        file["c/x"] = np.full(50, 3.0)
        file["c"].attrs["name"] = "c"
    journal = Journal.lock(target)
    assert journal.pages is not None
    merge(target, journal, may_copy=True)
    journal.close()
    assert content(target) == {"a": 1, "b": 1, "c": 3}


def test_a_damaged_file_is_not_replaced(target: Path) -> None:
    add_and_merge(target, "a", "b")
    damaged = target.read_bytes()[:-300]
    target.write_bytes(damaged)
    journal = add(target, "c")
    with pytest.raises(ValueError, match="is damaged"):
        merge(target, journal, may_copy=True)
    assert target.read_bytes() == damaged
    assert list(journal.places) == ["c"]
    journal.close()
