import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from file_server import serving
from typer.testing import CliRunner

from gluestick.cli import app
from gluestick.datasets.public_sets import registry as public
from gluestick.datasets.public_sets.registry import PUBLIC_DATASETS


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def offer(monkeypatch: pytest.MonkeyPatch, url: str, sha256: str) -> None:
    card = replace(
        PUBLIC_DATASETS["scannet1500"],
        url=f"{url}/set.zip",
        folder="set",
        sha256=sha256,
    )
    monkeypatch.setattr(public, "PUBLIC_DATASETS", MappingProxyType({"scannet1500": card}))


def test_a_data_set_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("set/a.txt", b"abc")
    content = buffer.getvalue()
    with serving(content) as server:
        offer(monkeypatch, server.url, hashlib.sha256(content).hexdigest())
        code, output = run("scannet1500", tmp_path)
        assert code == 2
        assert "add --accept-terms" in output
        assert server.requested == []
        code, output = run("scannet1500", tmp_path, "--accept-terms")
    assert code == 0, output
    assert "ScanNet Terms of Use" in output
    assert f"Data: {tmp_path / 'set'}" in output
    assert (tmp_path / "set" / "a.txt").is_file()


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gluestick.datasets.public_sets.download.ATTEMPTS", 1)
    with serving(b"") as closed:
        url = closed.url
    offer(monkeypatch, url, "0" * 64)
    code, output = run("scannet1500", tmp_path, "--accept-terms")
    assert code == 2
    assert "cannot be reached" in output
    assert f"put it at {tmp_path / 'set.zip'}" in output


def test_unknown_names_and_help() -> None:
    code, output = run("coco", "data")
    assert code == 2
    assert "no data set 'coco'" in output
    code, output = run("--help")
    assert code == 0
    for card in PUBLIC_DATASETS.values():
        assert " ".join(card.terms.split()) in output
