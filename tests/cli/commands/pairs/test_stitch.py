from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from gluestick.cli.commands.pairs.stitch import pairs_to_match

QUICK = ("--max-num-keypoints", "256", "--max-num-lines", "60")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> list[Path]:
    """Three overlapping parts of one photograph."""
    folder = tmp_path_factory.mktemp("parts")
    paths = []
    with Image.open(assets / "leuven_a.jpg") as image:
        for index, left in enumerate((0, 150, 300)):
            paths.append(folder / f"{index}.png")
            image.crop((left, 60, left + 330, 460)).save(paths[-1])
    return paths


def test_parts_become_the_whole(
    invoke: Callable[..., Result], parts: list[Path], assets: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "panorama.png"
    other = assets / "graffiti_a.jpg"
    result = invoke("stitch", *parts, other, "--output", path, *QUICK)
    assert result.exit_code == 0, result.output
    assert "0.png - 1.png" in result.stdout
    assert f"Left out, for no trusted homography leads to them: {other}" in result.stdout
    with Image.open(path) as picture, Image.open(assets / "leuven_a.jpg") as image:
        assert abs(picture.width - 630) < 8
        assert abs(picture.height - 400) < 8
        whole = image.crop((0, 60, 630, 460)).resize((63, 40))
        shown = picture.convert("RGB").resize((63, 40))
    difference = np.abs(np.asarray(whole, float) - np.asarray(shown, float))
    assert np.median(difference) < 10


def test_pairs_of_few_and_of_many() -> None:
    assert pairs_to_match(3) == [(0, 1), (0, 2), (1, 2)]
    many = pairs_to_match(20)
    assert len(many) == 18 * 2 + 1
    assert all(0 < second - first <= 2 for first, second in many)


def test_errors(refused: Callable[..., str], photographs: Path, tmp_path: Path) -> None:
    image, blank = photographs / "a.jpg", photographs / "blank.png"
    assert "at least two photographs" in refused("stitch", image)
    assert "missing.jpg" in refused("stitch", image, photographs / "missing.jpg")
    path = tmp_path / "panorama.png"
    assert "no two of the photographs" in refused("stitch", blank, blank, "--output", path)
    assert not path.exists()
    path.mkdir()
    assert "is a folder where a file is to be" in refused("stitch", image, image, "--output", path)
