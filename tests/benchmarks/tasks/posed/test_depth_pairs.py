from pathlib import Path

import numpy as np
import pytest
import torch
from posed_scenes import CAMERA, POSE, SIZE, prediction

from gluestick.benchmarks.tasks.posed.depth_pairs import batch_of_one, load_depth_pair
from gluestick.datasets.posed.depth_views import DepthView, DepthViewPair


def make_pair(*shapes: tuple[int, int]) -> DepthViewPair:
    views = [
        DepthView(
            image=Path(f"{side}.jpg"),
            read_depth=lambda shape=shape, side=side: np.full(shape, side + 1.0, np.float32),
            camera=CAMERA,
        )
        for side, shape in enumerate(shapes)
    ]
    return DepthViewPair(name="0|1", scene="", view0=views[0], view1=views[1], pose_0to1=POSE)


NOTHING = (np.zeros((0, 2)), np.zeros((0, 2)))


def test_depth_and_cameras_are_a_batch_of_one() -> None:
    pair = load_depth_pair(make_pair(SIZE[::-1], SIZE[::-1]), prediction(NOTHING))
    assert pair.depth0.shape == pair.depth1.shape == (1, *SIZE[::-1])
    assert (pair.depth0 == 1).all()
    assert (pair.depth1 == 2).all()
    assert pair.image_size0.tolist() == pair.image_size1.tolist() == [list(SIZE)]
    np.testing.assert_array_equal(pair.K1[0], CAMERA.K)
    np.testing.assert_array_equal(pair.R_0to1[0], POSE.R)
    np.testing.assert_array_equal(pair.t_0to1[0], POSE.t)


def test_a_depth_map_of_another_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"1\.jpg needs the size .* 160 x 120, found 120 x 160"):
        load_depth_pair(make_pair(SIZE[::-1], SIZE), prediction(NOTHING))


def test_arrays_get_a_dimension_in_front() -> None:
    reversed_rows = np.arange(6.0).reshape(2, 3)[::-1]
    batch = batch_of_one(reversed_rows)
    assert torch.equal(batch, torch.tensor([[[3.0, 4, 5], [0, 1, 2]]], dtype=torch.float64))
    assert batch_of_one(np.zeros((0, 2))).shape == (1, 0, 2)
