from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from gluestick.export import read_matches_npz

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40")


@pytest.fixture
def turned(photographs: Path, tmp_path: Path) -> Path:
    """The second photograph, turned by 90 degrees to the right."""
    path = tmp_path / "turned.png"
    with Image.open(photographs / "b.jpg") as image:
        image.transpose(Image.Transpose.ROTATE_270).save(path)
    return path


def num_matches(invoke: Callable[..., Result], output: Path, *arguments: str | Path) -> int:
    result = invoke("match", *arguments, *QUICK, "--geometry", "none", "--output", output)
    assert result.exit_code == 0, result.output
    assert ("rotation" in result.output) == ("none" not in arguments)
    arrays = read_matches_npz(output / "matches.npz")
    assert (arrays["keypoints1"] <= arrays["image_size1"] - 0.5).all()
    return int(np.count_nonzero(arrays["matches0"] > -1))


def test_turned_photographs_are_matched_by_default(
    invoke: Callable[..., Result], photographs: Path, turned: Path, tmp_path: Path
) -> None:
    first = photographs / "a.jpg"
    upright = num_matches(invoke, tmp_path, first, photographs / "b.jpg")
    assert num_matches(invoke, tmp_path, first, turned) > 0.8 * upright > 20
    assert num_matches(invoke, tmp_path, first, turned, "--rotation", "none") < 0.5 * upright


def test_an_unknown_rotation_is_refused(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", photographs / "b.jpg"
    line = refused("match", *images, "--rotation", "sometimes", "--output", tmp_path)
    assert "rotation" in line
    assert "sometimes" in line
