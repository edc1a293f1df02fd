from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the extra onnx is not installed")


def test_models_that_cannot_be_exported_are_refused(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    line = refused("export", "onnx", "--model", "aliked-lsd-guided", "--output", tmp_path / "out")
    assert "the line head same_line" in line
    assert not (tmp_path / "out").exists()


def test_the_output_needs_to_be_a_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert "is not one" in refused("export", "onnx", "--output", tmp_path / "file")
