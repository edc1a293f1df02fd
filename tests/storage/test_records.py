from pathlib import Path

import pytest

from gluestick.storage.raw_file import RawFile
from gluestick.storage.records import read_record, read_records, write_record

RECORDS = [(b"AAAA", b"first"), (b"BBBB", b""), (b"AAAA", b"\xff" * 100)]


@pytest.fixture
def file(tmp_path: Path) -> RawFile:
    """A file with some records behind other bytes."""
    file = RawFile(tmp_path / "records", create=True)
    end = 7
    for kind, data in RECORDS:
        end = write_record(file, end, kind, data)
    assert end == file.size
    return file


def found(file: RawFile) -> list[tuple[bytes, bytes]]:
    return [(kind, data) for _, _, kind, data in read_records(file, 7)]


def test_records_are_read_one_behind_the_other(file: RawFile) -> None:
    assert found(file) == RECORDS
    places = [(start, end) for start, end, _, _ in read_records(file, 7)]
    assert [start for start, _ in places] == [7, *(end for _, end in places[:-1])]
    assert [read_record(file, start) for start, _ in places] == [data for _, data in RECORDS]
    assert read_record(file, 8) is None
    assert read_record(file, file.size) is None


def test_no_part_of_a_record_is_one(file: RawFile) -> None:
    content = file.read_at(0, file.size)
    ends = [end for _, end, _, _ in read_records(file, 7)]
    for cut in range(7, len(content)):
        for rest in (b"", b"\0" * 300):
            file.truncate(0)
            file.write_at(0, content[:cut] + rest)
            assert found(file) == RECORDS[: sum(end <= cut for end in ends)]


def test_a_wrong_byte_takes_its_record_alone(file: RawFile) -> None:
    content = file.read_at(0, file.size)
    first = next(read_records(file, 7))
    for position in range(first[0], first[1]):
        file.write_at(position, bytes([content[position] ^ 1]))
        assert found(file) in (RECORDS[1:], [])  # nothing tells where the next begins
        file.write_at(position, content[position : position + 1])
    assert found(file) == RECORDS


def test_a_failed_write_leaves_nothing(file: RawFile, monkeypatch: pytest.MonkeyPatch) -> None:
    size, write_at = file.size, file.write_at

    def fail(offset: int, data: bytes) -> None:
        write_at(offset, data[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(file, "write_at", fail)
    with pytest.raises(KeyboardInterrupt):
        write_record(file, size, b"AAAA", b"data")
    assert file.size == size
