import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from file_server import FileServer, serving

from gluestick.datasets.public_sets.registry import (
    PUBLIC_DATASETS,
    PublicDataset,
    fetch_dataset,
    public_dataset,
)


def archive(content: bytes = b"abc") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("set/a.txt", content)
    return buffer.getvalue()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(archive()) as running:
        yield running


def dataset(server: FileServer, *, sha256: str | None = None) -> PublicDataset:
    url = server.url.replace("data.bin", "set.zip")
    return replace(public_dataset("hpatches"), url=url, folder="set", sha256=sha256)


@pytest.mark.parametrize("published", [True, False])
def test_a_data_set_arrives(server: FileServer, tmp_path: Path, published: bool) -> None:
    digest = hashlib.sha256(server.content).hexdigest()
    own = dataset(server, sha256=digest if published else None)
    titles = []
    folder = fetch_dataset(own, tmp_path, report=lambda title, *_: titles.append(title))
    assert folder == tmp_path / "set"
    assert (folder / "a.txt").read_bytes() == b"abc"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "set"]
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  set.zip\n"
    assert list(dict.fromkeys(titles)) == ["Fetching set.zip", "Unpacking set.zip"]


def test_what_is_there_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    own = dataset(server)
    fetch_dataset(own, tmp_path)
    fetch_dataset(own, tmp_path)
    assert len(server.requested) == 1


def test_an_archive_fetched_by_other_means(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(server.content)
    fetch_dataset(dataset(server), tmp_path)
    assert server.requested == []
    assert (tmp_path / "set" / "a.txt").is_file()


def test_a_data_set_that_changed(server: FileServer, tmp_path: Path) -> None:
    own = dataset(server)
    fetch_dataset(own, tmp_path)
    (tmp_path / "set" / "a.txt").unlink()
    (tmp_path / "set").rmdir()
    server.content = archive(b"other")
    with pytest.raises(ValueError, match="is expected"):
        fetch_dataset(own, tmp_path)
    (tmp_path / "set.zip").write_bytes(server.content)
    with pytest.raises(ValueError, match="published anew"):
        fetch_dataset(own, tmp_path)
    assert not (tmp_path / "set").exists()


def test_an_archive_of_something_else(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no folder other"):
        fetch_dataset(replace(dataset(server), folder="other"), tmp_path)


def test_cards_are_complete() -> None:
    for name, card in PUBLIC_DATASETS.items():
        assert card.name == name
        assert urlsplit(card.url).scheme == "https"
        assert card.archive.endswith(".zip")
        assert card.terms
        assert urlsplit(card.page).netloc
        assert card.sha256 is None or len(card.sha256) == 64
    with pytest.raises(ValueError, match=r"no data set 'coco'; there are: hpatches"):
        public_dataset("coco")
