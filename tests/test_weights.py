import hashlib
import re
from pathlib import Path

import pytest

from gluestick import weights
from gluestick.weights import shipped_files, shipped_path

RECORD = Path(__file__).parent.parent / "third_party" / "README.md"


@pytest.mark.parametrize("name", sorted(shipped_files()))
def test_shipped_files_are_intact(name: str) -> None:
    path = shipped_path(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shipped_files()[name].sha256


def test_the_written_record_agrees_with_the_manifest() -> None:
    hashes = set(re.findall(r"\b[0-9a-f]{64}\b", RECORD.read_text(encoding="utf-8")))
    files = shipped_files().values()
    origins = {file.origin_sha256 for file in files if file.origin_sha256 is not None}
    assert hashes == {file.sha256 for file in files} | origins


def test_unknown_files_are_refused() -> None:
    with pytest.raises(ValueError, match="no shipped file"):
        shipped_path("unknown.safetensors")


def test_damage_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "aliked-n16.safetensors"
    content = bytearray(shipped_path(name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(weights, "_FOLDER", tmp_path)
    shipped_files()
    with pytest.raises(ValueError, match="damaged"):
        shipped_path(name)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match="missing"):
        shipped_path(name)
