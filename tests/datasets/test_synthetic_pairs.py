import hashlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from gluestick.datasets.photographs import load_photograph
from gluestick.datasets.synthetic_pairs import (
    TILTS,
    ZOOMS,
    SyntheticPair,
    SyntheticPairsConfig,
    draw_synthetic_pairs,
)

RECIPES = "9a6050028245c95ce3f5afa0bb44432870ee097dd3116f5a727b217344404a25"
PIXELS = {
    "graffiti_a.jpg#0": (
        "ffdf6f980ecfa7325112c80758b9580e03716caa28eb688ba46245a79cc3b42b",
        "4d159a073a7db6364741715f8ab882789aef23a996792403efcb2c8b7fa92776",
    ),
    "graffiti_a.jpg#2": (
        "7c30982a8acb5822181429378b2ebbfb8b4517ca902256db842e0630c9679ace",
        "70ad0ad130e563fa1decad394e69db517ce6da4bda4570420ad17ab3cfa3787a",
    ),
    "leuven_b.jpg#0": (
        "666ecf9ba5d21104db4ce28e507a0df206873b09d8ed35cd1706051643665b08",
        "496894fe8ec6061cf4b0e672e469a72a175feaa25ed794ccce32a5635d1e0a05",
    ),
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Three photographs, one of them in a folder; 0016.jpg is held out."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "more").mkdir()
    with Image.open(assets / "graffiti_a.jpg") as image:
        small = image.convert("RGB").resize((240, 180))
    for name in ("a.jpg", "b.jpg", "more/0016.jpg"):
        small.save(root / name, quality=95)
    return root


def recipe(pair: SyntheticPair) -> str:
    """Everything that is random in a pair, with homographies rounded to what all machines share."""
    views = [(np.round(view.H, 6) + 0.0, view.change) for view in pair.views]
    return repr([pair.name, pair.image_size, [(H.tolist(), change) for H, change in views]])


def digest(image: torch.Tensor) -> str:
    pixels = (image * 255).round().to(torch.uint8).numpy()
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def test_recipes_stay_as_they_are(assets: Path) -> None:
    config = SyntheticPairsConfig(pairs_per_photograph=3)
    turned = SyntheticPairsConfig(max_turn=180.0, seed=3)
    pairs = [*draw_synthetic_pairs(assets, config), *draw_synthetic_pairs(assets, turned)]
    text = "\n".join(map(recipe, pairs))
    assert hashlib.sha256(text.encode()).hexdigest() == RECIPES


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512")
    or not cv2.__version__.startswith("5.0."),
    reason="resizing and warping round otherwise on other processors and in other OpenCVs",
)
@pytest.mark.parametrize("name", PIXELS)
def test_pixels_stay_as_they_are(assets: Path, name: str) -> None:
    pairs = draw_synthetic_pairs(assets, SyntheticPairsConfig(pairs_per_photograph=3))
    (pair,) = [pair for pair in pairs if pair.name == name]
    assert tuple(map(digest, pair.load())) == PIXELS[name]


def test_pairs_depend_on_seed_and_photograph_alone(photographs: Path) -> None:
    everything = draw_synthetic_pairs(photographs)
    assert [pair.name for pair in everything] == [
        f"{name}#{number}" for name in ("a.jpg", "b.jpg", "more/0016.jpg") for number in (0, 1)
    ]
    held_out = draw_synthetic_pairs(photographs, SyntheticPairsConfig(holdout=True))
    assert [pair.name for pair in held_out] == ["more/0016.jpg#0", "more/0016.jpg#1"]
    by_name = {pair.name: pair for pair in everything}
    for pair in held_out:
        assert recipe(pair) == recipe(by_name[pair.name])
        assert pair.path == photographs / "more/0016.jpg"
    other = draw_synthetic_pairs(photographs, SyntheticPairsConfig(seed=1))
    assert not np.allclose(other[0].H_0to1, everything[0].H_0to1)
    assert not np.allclose(everything[0].H_0to1, everything[1].H_0to1)


def test_a_number_of_photographs_is_drawn(photographs: Path) -> None:
    config = SyntheticPairsConfig(num_photographs=2, pairs_per_photograph=3)
    pairs = draw_synthetic_pairs(photographs, config)
    assert len({pair.path for pair in pairs}) == 2
    assert len(pairs) == 6


def test_views_are_warped_and_then_changed(photographs: Path) -> None:
    for pair in draw_synthetic_pairs(photographs, SyntheticPairsConfig(width=160, height=120)):
        photograph = load_photograph(pair.path, image_size=(160, 120))
        for view, image in zip(pair.views, pair.load(), strict=True):
            expected = view.change.apply(cv2.warpPerspective(photograph, view.H, (160, 120)))
            assert image.dtype == torch.float32
            np.testing.assert_array_equal((image * 255).round().permute(1, 2, 0), expected)


def test_the_images_show_what_the_homography_says(photographs: Path) -> None:
    config = SyntheticPairsConfig(photometric_probability=0.0)
    for pair in draw_synthetic_pairs(photographs, config)[:4]:
        image0, image1 = (image.permute(1, 2, 0).numpy() for image in pair.load())
        assert image0.shape == (480, 640, 3)
        inside = cv2.warpPerspective(np.ones((480, 640), np.float32), pair.H_0to1, (640, 480)) == 1
        inside = cv2.erode(inside.astype(np.uint8), np.ones((9, 9))) > 0
        difference = abs(cv2.warpPerspective(image0, pair.H_0to1, (640, 480)) - image1)[inside]
        assert inside.mean() > 0.1
        assert difference.mean() < 0.02


@pytest.mark.parametrize("turn", [0.0, 180.0])
@pytest.mark.parametrize("kind", ["zoom", "tilt"])
def test_zooms_and_tilts(assets: Path, kind: Literal["zoom", "tilt"], turn: float) -> None:
    config = SyntheticPairsConfig(
        photometric_probability=0.0, pairs_per_photograph=5, max_turn=turn, change=kind
    )
    steps = ZOOMS if kind == "zoom" else TILTS
    for pair, value in zip(draw_synthetic_pairs(assets, config), steps[:5], strict=False):
        longest, shortest = np.linalg.svd(pair.H_0to1[:2, :2], compute_uv=False)
        expected = (1 / value, 1 / value) if kind == "zoom" else (1.0, 1 / value)
        assert (pair.zoom, pair.tilt) == ((value, None) if kind == "zoom" else (None, value))
        np.testing.assert_allclose((longest, shortest), expected, rtol=1e-9)
        images = [(image.permute(1, 2, 0).numpy() * 255) for image in pair.load()]
        blurred = cv2.GaussianBlur(images[0], None, 0.5 * value)
        moved = cv2.warpPerspective(blurred, pair.H_0to1, (640, 480))
        inside = cv2.warpPerspective(np.ones((480, 640)), pair.H_0to1, (640, 480)) == 1
        inside = cv2.erode(inside.astype(np.uint8), np.ones((9, 9)), borderValue=0) > 0
        assert inside.sum() > 640 * 480 / value**2 / 4
        right = abs(moved - images[1])[inside].mean()
        wrong = abs(np.roll(moved, 4, axis=1) - images[1])[inside].mean()
        assert right < 10
        assert right < wrong


def test_a_detail_shows_what_the_whole_does_not(assets: Path) -> None:
    config = SyntheticPairsConfig(
        width=160, height=120, photometric_probability=0.0, change="zoom", strength=4.0
    )
    for pair in draw_synthetic_pairs(assets, config):
        detail, whole = (image.permute(1, 2, 0).numpy() for image in pair.load())
        enlarged = cv2.warpPerspective(whole, np.linalg.inv(pair.H_0to1), (160, 120))
        assert (
            cv2.Laplacian(detail, cv2.CV_32F).std() > 2 * cv2.Laplacian(enlarged, cv2.CV_32F).std()
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width"),
        ({"height": 0}, "height"),
        ({"num_photographs": 0}, "num_photographs"),
        ({"seed": -1}, "seed"),
        ({"pairs_per_photograph": 0}, "pairs_per_photograph"),
        ({"difficulty": 2.0}, "difficulty"),
        ({"change": "zoom", "strength": 0.5}, "strength"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SyntheticPairsConfig(**options)


def test_folders_without_photographs_to_take(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        draw_synthetic_pairs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="found none"):
        draw_synthetic_pairs(tmp_path)
    (tmp_path / "a.jpg").write_bytes((photographs / "a.jpg").read_bytes())
    with pytest.raises(ValueError, match="holdout"):
        draw_synthetic_pairs(tmp_path, SyntheticPairsConfig(holdout=True))
