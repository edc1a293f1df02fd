from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

TINY = ("--sizes", "96x64", "--keypoints", "16", "--repeat", "1", "--threads", "1")


def test_tables_and_page(invoke: Callable[..., Result], photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = photographs / "a.jpg", photographs / "b.jpg"
    page = tmp_path / "speed.md"
    command = ("benchmark", "speed", *files, "--peers", "sift+ratio", *TINY, "--write", page)
    result = invoke(*map(str, command))
    assert result.exit_code == 0, result.output
    for word in ("96x64 px", "aliked-lsd, 16", "sift+ratio, 16", "layers 7-9", "pictures"):
        assert word in result.output
    assert "## 96x64 px" in page.read_text(encoding="utf-8")
    assert (tmp_path / "images" / "speed.svg").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sizes", "640", "needs sizes such as 640x480, found '640'"),
        ("--keypoints", "0", "needs numbers such as 1024, found '0'"),
        ("--clock", "sun", "needs to be one of processor, wall, found 'sun'"),
        ("--repeat", "0", "repeat needs to be at least 1, found 0"),
        ("--peers", "nobody", "nobody"),
    ],
)
def test_wrong_options(
    invoke: Callable[..., Result], photographs: Path, option: str, value: str, message: str
) -> None:
    files = str(photographs / "a.jpg"), str(photographs / "b.jpg")
    result = invoke("benchmark", "speed", *files, option, value)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
