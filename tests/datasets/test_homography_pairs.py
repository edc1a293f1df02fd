from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gluestick.datasets.homographies import view_change
from gluestick.datasets.homography_pairs import HomographyPairs, HomographyPairsConfig
from gluestick.datasets.photograph_pool import PhotographPool

SIZE = (160, 120)


@pytest.fixture
def photographs(tmp_path: Path) -> PhotographPool:
    rng = np.random.default_rng(0)
    for index, shape in enumerate([(90, 200), (300, 170)]):
        small = rng.integers(0, 256, (shape[0] // 12, shape[1] // 12, 3), dtype=np.uint8)
        large = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"{index}.png"), large)
    return PhotographPool(tmp_path, ["0.png", "1.png"])


@pytest.mark.parametrize("max_zoom", [1.0, 3.0])
def test_the_homography_carries_one_view_into_the_other(
    photographs: PhotographPool, max_zoom: float
) -> None:
    config = HomographyPairsConfig(width=SIZE[0], height=SIZE[1], max_zoom=max_zoom)
    for index in range(4):
        pair = HomographyPairs(photographs, config).make(index)
        assert pair.image0.shape == pair.image1.shape == (3, SIZE[1], SIZE[0])
        image0, image1 = (image.permute(1, 2, 0).numpy() for image in (pair.image0, pair.image1))
        carried = cv2.warpPerspective(image0, pair.H_0to1.numpy(), SIZE)
        inside = cv2.warpPerspective(np.ones(SIZE[::-1]), pair.H_0to1.numpy(), SIZE) > 0.99
        inside[[0, -1]] = inside[:, [0, -1]] = False
        assert inside.mean() > 0.05
        assert np.median(abs(carried - image1)[inside]) < 0.04


def test_zoom(photographs: PhotographPool) -> None:
    still = HomographyPairsConfig(width=160, height=120, max_zoom=4.0, difficulty=0.0)
    pairs = [HomographyPairs(photographs, still).make(index) for index in range(10)]
    scales = [view_change(pair.H_0to1.numpy(), image_size=SIZE).scale for pair in pairs]
    assert 3 < max(scales) <= 4.01


def test_a_seed_and_an_index_decide_everything(photographs: PhotographPool) -> None:
    config = HomographyPairsConfig(width=SIZE[0], height=SIZE[1], seed=3)
    first, again = (HomographyPairs(photographs, config).make(7) for _ in range(2))
    assert torch.equal(first.image1, again.image1)
    assert torch.equal(first.H_0to1, again.H_0to1)
    other = HomographyPairs(photographs, config).make(8)
    assert not torch.equal(first.H_0to1, other.H_0to1)


def test_errors() -> None:
    with pytest.raises(ValueError, match="max_zoom"):
        HomographyPairsConfig(max_zoom=0.5)
    with pytest.raises(ValueError, match="difficulty"):
        HomographyPairsConfig(difficulty=1.0)
