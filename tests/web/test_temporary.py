import sys
import tempfile
from pathlib import Path

import pytest

from gluestick.web.temporary import private_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_private_and_goes(temporary: Path) -> None:
    with private_folder() as folder:
        assert folder.parent == temporary.resolve()
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "file").touch()
    assert not [*temporary.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_what_killed_processes_left_is_deleted(temporary: Path) -> None:
    abandoned, unknown = temporary / "gluestick-web-abandoned", temporary / "gluestick-web-other"
    for folder in (abandoned, unknown):
        folder.mkdir()
        (folder / "photograph.jpg").touch()
    (abandoned / "lock").touch()
    with private_folder() as first, private_folder() as second:
        assert first.exists()
        assert second.exists()
        assert not abandoned.exists()
    assert [*temporary.iterdir()] == [unknown]
