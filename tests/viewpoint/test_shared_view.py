import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gluestick.geometry.affine import apply, stretch
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.shared_view import seen_affine, shared_frames

SIZE = (640, 480)


def map_about(linear: np.ndarray, *, centre0: tuple[float, float]) -> np.ndarray:
    """Return the map that shows a place of image 0 in the centre of image 1."""
    to = (np.array(SIZE) - 1) / 2
    return np.column_stack([linear, to - linear @ np.array(centre0)])


def seen(frame: ViewFrame | None, points: np.ndarray) -> np.ndarray:
    return points if frame is None else frame.from_original(points)


def inside(frame: ViewFrame | None, points: np.ndarray) -> np.ndarray:
    size = SIZE if frame is None else frame.size
    return ((points >= -0.5) & (points <= np.array(size) - 0.5)).all(axis=-1)


@pytest.mark.parametrize("zoom", [2.0, 8.0, 1 / 5])
def test_a_detail_stays_as_it_is_and_the_whole_is_enlarged(zoom: float) -> None:
    affine = map_about(zoom * np.eye(2), centre0=(300.0, 250.0))
    frames = shared_frames(affine, size0=SIZE, size1=SIZE)
    assert frames is not None
    if zoom < 1:
        frames = frames[1], frames[0]
        affine = np.array([[1 / zoom, 0, 0], [0, 1 / zoom, 0]])
        assert frames[0] is not None
        np.testing.assert_allclose(np.array(frames[0].affine)[:, :2], affine[:, :2])
    else:
        assert frames[0] is not None
        np.testing.assert_allclose(frames[0].affine, affine)
    assert frames[1] is None
    assert frames[0].size == SIZE


@pytest.mark.parametrize("tilt", [2.0, 6.0])
@pytest.mark.parametrize("angle", [0.0, 30.0, 100.0])
@pytest.mark.parametrize("swapped", [False, True])
def test_both_views_show_the_same_alike(tilt: float, angle: float, swapped: bool) -> None:
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[c, -s], [s, c]])
    linear = turn @ np.diag([1 / tilt, 1.0]) @ turn.T
    affine = map_about(np.linalg.inv(linear) if swapped else linear, centre0=(330.0, 220.0))
    frames = shared_frames(affine, size0=SIZE, size1=SIZE)
    assert frames is not None
    assert None not in frames
    rng = np.random.default_rng(0)
    points0 = rng.uniform(0, 1, (500, 2)) * SIZE
    points1 = apply(affine, points0)
    common = inside(None, points1)
    np.testing.assert_allclose(seen(frames[0], points0), seen(frames[1], points1), atol=1e-6)
    assert inside(frames[0], seen(frames[0], points0))[common].all()
    scales = [stretch(np.array(frame.affine)).scale for frame in frames if frame is not None]
    finer = 1 if swapped else 0
    assert scales[finer] == pytest.approx(1.0)
    assert scales[1 - finer] == pytest.approx(math.sqrt(tilt))


def test_only_what_is_common_is_shown() -> None:
    affine = np.array([[0.25, 0.0, 540.0], [0.0, 1.0, 0.0]])  # x up to 397 of image 0
    frames = shared_frames(affine, size0=SIZE, size1=SIZE)
    assert frames is not None
    shown, hidden = np.array([[390.0, 200.0]]), np.array([[600.0, 200.0]])
    assert inside(frames[0], seen(frames[0], shown)).all()
    assert not inside(frames[0], seen(frames[0], hidden)).any()
    assert inside(frames[1], seen(frames[1], apply(affine, shown))).all()
    assert not inside(frames[1], seen(frames[1], np.array([[400.0, 200.0]]))).any()


def test_next_to_nothing_in_common() -> None:
    apart = np.array([[0.5, 0, 900.0], [0, 1.0, 0]])
    assert shared_frames(apart, size0=SIZE, size1=SIZE) is None
    touching = np.array([[0.5, 0, 635.0], [0, 1.0, 0]])
    assert shared_frames(touching, size0=SIZE, size1=SIZE) is None


def wireframe_seen(view: ViewFrame | None, scale: float) -> Wireframe:
    return Wireframe(
        image_size=torch.tensor([SIZE]),
        keypoints=torch.zeros(1, 0, 2),
        keypoint_scores=torch.zeros(1, 0),
        descriptors=torch.zeros(1, 0, 4),
        keypoint_mask=torch.zeros(1, 0, dtype=torch.bool),
        num_junctions=torch.zeros(1, dtype=torch.int64),
        lines=torch.zeros(1, 0, 2, 2),
        detected_lines=torch.zeros(1, 0, 2, 2),
        line_scores=torch.zeros(1, 0),
        line_mask=torch.zeros(1, 0, dtype=torch.bool),
        line_junctions=torch.zeros(1, 0, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        views=(view,),
        scales=(scale,),
    )


def test_what_detectors_saw() -> None:
    affine = map_about(4.0 * np.eye(2), centre0=(300.0, 250.0))
    half, whole = wireframe_seen(None, 0.5), wireframe_seen(None, 1.0)
    assert stretch(seen_affine(affine, whole, half)) == pytest.approx((2.0, 1.0))
    frames = shared_frames(affine, size0=SIZE, size1=SIZE)
    assert frames is not None
    enlarged = wireframe_seen(frames[0], 4.0)
    assert stretch(seen_affine(affine, enlarged, whole)) == pytest.approx((1.0, 1.0))
    assert stretch(seen_affine(affine, replace(enlarged, scales=(2.0,)), whole)) == pytest.approx(
        (2.0, 1.0)
    )
