from pathlib import Path

import pytest
from torch import Tensor

from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher

ASSETS = Path(__file__).parent.parent / "assets"


@pytest.fixture(scope="session")
def assets() -> Path:
    return ASSETS


@pytest.fixture(scope="session")
def leuven() -> tuple[Tensor, Tensor]:
    return load_image(ASSETS / "leuven_a.jpg"), load_image(ASSETS / "leuven_b.jpg")


@pytest.fixture(scope="session")
def small_matcher() -> PointLineMatcher:
    """The default model with few features, to be quick."""
    return PointLineMatcher.from_pretrained(max_num_keypoints=128, max_num_lines=40)
