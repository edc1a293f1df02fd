"""What all timings share: one pair of photographs, the default model, and what it finds there."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gluestick.images.load import load_image
from gluestick.images.resize import ResizeConfig, resize_image
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches, Wireframe

ASSETS = Path(__file__).parent.parent / "assets"
SIZE = 640
NUM_KEYPOINTS = 1024
NUM_LINES = 250

Wireframes = tuple[Wireframe, Wireframe]


def pytest_configure() -> None:
    """Use as many threads as ``OMP_NUM_THREADS`` says, one if it says nothing."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


@pytest.fixture(scope="session")
def images() -> tuple[Tensor, Tensor]:
    """Return two photographs of 640 px."""
    config = ResizeConfig(size=SIZE)
    first, second = (
        resize_image(load_image(ASSETS / f"leuven_{side}.jpg"), config=config)[0] for side in "ab"
    )
    return first, second


@pytest.fixture(scope="session")
def matcher() -> PointLineMatcher:
    """Return the default model with 1,024 keypoints and 250 lines."""
    return PointLineMatcher.from_pretrained(
        max_num_keypoints=NUM_KEYPOINTS, max_num_lines=NUM_LINES
    )


@pytest.fixture(scope="session")
def wireframes(matcher: PointLineMatcher, images: tuple[Tensor, Tensor]) -> Wireframes:
    """Return what is found in both images."""
    first, second = map(matcher.extract, images)
    return first, second


@pytest.fixture(scope="session")
def matches(matcher: PointLineMatcher, wireframes: Wireframes) -> Matches:
    """Return their matches."""
    return matcher.match(*wireframes)
