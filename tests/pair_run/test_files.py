from typing import Any

import numpy as np
import pytest

from gluestick.pair_geometry import PairGeometry
from gluestick.pair_run.files import draw_check

IMAGES: Any = (np.full((60, 80, 3), 90, np.uint8), np.full((60, 80, 3), 90, np.uint8))
SHIFT = np.array([[1.0, 0, -20], [0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    "estimate",
    [
        PairGeometry(),
        PairGeometry(geometry="homography", H_0to1=SHIFT),
        PairGeometry(geometry="fundamental", F_0to1=np.eye(3)),
        PairGeometry(geometry="homography", H_0to1=np.zeros((3, 3)), trusted=True),
    ],
    ids=("none", "untrusted homography", "untrusted epipolar", "homography without an inverse"),
)
def test_nothing_is_drawn_that_could_mislead(estimate: PairGeometry) -> None:
    result: Any = None
    assert draw_check(("a", "b"), IMAGES, result, estimate) is None


def test_a_homography_lays_both_images_into_one_picture() -> None:
    estimate = PairGeometry(geometry="homography", H_0to1=SHIFT, trusted=True)
    result: Any = None
    picture = draw_check(("a", "b"), IMAGES, result, estimate)
    assert picture is not None
    assert picture.shape == (60, 100, 3)
