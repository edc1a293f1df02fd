import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from gluestick.datasets.public_sets.archives import unpack


def make_zip(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def assert_untouched(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert not (folder.parent / "outside").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "kept").touch()
    return folder


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_files_and_folders(tmp_path: Path, folder: Path, kind: str) -> None:
    if kind == "zip":
        archive = make_zip(tmp_path / "a.zip", **{"set/": b"", "set/deep/a.txt": b"abc"})
    else:
        members = (entry("set", tarfile.DIRTYPE), b""), (entry("set/deep/a.txt"), b"abc")
        archive = make_tar(tmp_path / "a.tar.gz", *members)
    reported = []
    top = unpack(archive, folder, report=lambda done, total: reported.append((done, total)))
    assert top == [folder / "set"]
    assert (folder / "set" / "deep" / "a.txt").read_bytes() == b"abc"
    assert reported == [(3, 3)]
    assert sorted(path.name for path in folder.iterdir()) == ["kept", "set"]


def test_what_was_there_is_replaced(tmp_path: Path, folder: Path) -> None:
    (folder / "set").mkdir()
    (folder / "set" / "old.txt").touch()
    unpack(make_zip(tmp_path / "a.zip", **{"set/new.txt": b"", "kept": b"new"}), folder)
    assert [path.name for path in (folder / "set").iterdir()] == ["new.txt"]
    assert (folder / "kept").read_bytes() == b"new"
    unpack(make_zip(tmp_path / "a.zip", **{"kept/a": b""}), folder)
    assert (folder / "kept").is_dir()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "..\\outside"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_nothing_lands_outside(tmp_path: Path, folder: Path, name: str, kind: str) -> None:
    if kind == "zip":
        archive = make_zip(tmp_path / "a.zip", **{"set/a": b"", name: b"x"})
    else:
        archive = make_tar(tmp_path / "a.tar.gz", (entry("set/a"), b""), (entry(name), b"x"))
    with pytest.raises(ValueError, match="outside the folder"):
        unpack(archive, folder)
    assert_untouched(folder)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(tmp_path: Path, folder: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", (entry("set/link", kind, "../../outside"), b""))
    with pytest.raises(ValueError, match="link or device"):
        unpack(archive, folder)
    assert_untouched(folder)


def test_links_in_zip(tmp_path: Path, folder: Path) -> None:
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "../../outside")
    with pytest.raises(ValueError, match="link or device"):
        unpack(tmp_path / "a.zip", folder)
    assert_untouched(folder)


def test_damaged_archives(tmp_path: Path, folder: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="needs to be a zip or tar archive"):
        unpack(archive, folder)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("set/a", bytes(range(256)) * 40)
    content = bytearray(archive.read_bytes())
    content[40:60] = bytes(20)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        unpack(archive, folder)
    content = bytearray(make_zip(archive, **{"set/a": bytes(1000)}).read_bytes())
    content[60] ^= 255
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        unpack(archive, folder)
    archive = make_tar(tmp_path / "a.tar.gz", (entry("set/a"), bytes(range(256)) * 400))
    archive.write_bytes(archive.read_bytes()[:-300])
    with pytest.raises(ValueError, match="is damaged"):
        unpack(archive, folder)
    assert_untouched(folder)
