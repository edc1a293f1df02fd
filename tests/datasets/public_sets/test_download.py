import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from file_server import FileServer, serving

from gluestick.datasets.public_sets import download as module
from gluestick.datasets.public_sets.download import (
    file_sha256,
    read_checksums,
    record_checksum,
)

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]

download = partial(module.download, pause=0.0)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "data.bin"


def left_over(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_arrives(server: FileServer, path: Path) -> None:
    reported: list[tuple[int, int | None]] = []
    digest = download(
        server.url, path, sha256=SHA256, report=lambda *progress: reported.append(progress)
    )
    assert digest == SHA256
    assert path.read_bytes() == CONTENT
    assert left_over(path) == ["data.bin"]
    assert reported[0] == (0, len(CONTENT))
    assert reported[-1] == (len(CONTENT), len(CONTENT))


def test_an_empty_file_arrives(server: FileServer, path: Path) -> None:
    server.content = b""
    download(server.url, path)
    assert path.read_bytes() == b""


def test_a_transfer_that_breaks_off_goes_on(server: FileServer, path: Path) -> None:
    server.cut_after = 3000
    assert download(server.url, path, sha256=SHA256) == SHA256
    assert server.requested == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]


def test_a_later_run_goes_on(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.cut_after = 2000
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(ValueError, match="goes on where it stopped"):
        download(server.url, path)
    assert left_over(path) == ["data.bin.part", "data.bin.part.json"]
    server.cut_after = None
    assert download(server.url, path) == SHA256
    assert server.requested == [None, "bytes=2000-"]


@pytest.mark.parametrize("change", ["tag", "address", "no_ranges", "size"])
def test_another_file_begins_anew(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    server.cut_after = 2000
    if change == "size":
        server.tag = None
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(ValueError, match="broke off"):
        download(server.url, path)
    monkeypatch.setattr(module, "ATTEMPTS", 3)
    server.cut_after, server.content = None, OTHER
    url = server.url
    if change == "tag":
        server.tag = '"2"'
    elif change == "address":
        url += "?version=2"
    elif change == "no_ranges":
        server.ranges = False
    else:
        server.content += b"x"
    download(url, path)
    assert path.read_bytes() == server.content


def test_everything_had_arrived(server: FileServer, path: Path) -> None:
    """A run that was stopped between the last byte and the check."""
    path.parent.mkdir()
    server.cut_after = len(CONTENT)
    download(server.url, path)
    path.rename(path.with_name("data.bin.part"))
    identity = {"url": server.url, "total": len(CONTENT), "validator": server.tag}
    module._write_identity(path.with_name("data.bin.part"), **identity)
    assert download(server.url, path, sha256=SHA256) == SHA256
    assert left_over(path) == ["data.bin"]


def test_a_wrong_checksum(server: FileServer, path: Path) -> None:
    with pytest.raises(ValueError, match=f"{SHA256}, and {'0' * 64} is expected"):
        download(server.url, path, sha256="0" * 64)
    assert left_over(path) == []


def test_a_server_in_trouble_is_asked_again(server: FileServer, path: Path) -> None:
    server.failures = 2
    assert download(server.url, path) == SHA256


def test_a_file_that_is_not_there(server: FileServer, path: Path) -> None:
    server.failures, server.status = 9, 404
    with pytest.raises(ValueError, match=f"answers 404 .*put it at {path}"):
        download(server.url, path)
    assert len(server.requested) == 1


def test_no_network(path: Path) -> None:
    with serving(b"") as closed:
        url = closed.url
    with pytest.raises(ValueError, match=r"cannot be reached .*check the network") as error:
        download(url, path)
    assert str(path) in str(error.value)
    assert left_over(path) == []


def test_a_file_that_cannot_be_written(server: FileServer, path: Path) -> None:
    path.with_name("data.bin.part").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        download(server.url, path)


def test_checksums_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "SHA256SUMS"
    assert read_checksums(path) == {}
    record_checksum(path, "b.zip", SHA256)
    record_checksum(path, "a.zip", "1" * 64)
    assert path.read_text() == f"{'1' * 64}  a.zip\n{SHA256}  b.zip\n"
    assert read_checksums(path) == {"a.zip": "1" * 64, "b.zip": SHA256}
    path.write_text("not a checksum\n")
    with pytest.raises(ValueError, match="damaged"):
        read_checksums(path)
    (tmp_path / "file").write_bytes(CONTENT)
    assert file_sha256(tmp_path / "file") == SHA256
