import cv2
import numpy as np
import pytest

from gluestick.geometry.homography import transform_points
from gluestick.visualization.layout import Layout, Link, arrange_photographs
from gluestick.visualization.panorama import draw_panorama


def textured(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(30, 226, (height // 12, width // 12, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def shift(x: float, y: float = 0.0) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def test_crops_of_a_picture_become_the_picture_again():
    whole = textured(240, 480)
    crops = [whole[:, :260], whole[:, 120:380], whole[:, 220:]]
    crops[1] = (crops[1] * 0.8).astype(np.uint8)
    links = {(0, 1): Link(shift(-120), 9), (1, 2): Link(shift(-100), 9)}
    panorama = draw_panorama(crops, arrange_photographs(3, links))
    assert panorama.shape == whole.shape
    inner = panorama[10:-10, 10:-10].astype(float), whole[10:-10, 10:-10].astype(float)
    gain = inner[0].mean() / inner[1].mean()
    assert 0.75 < gain < 1.05
    correlation = np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1]
    assert correlation > 0.97


def turned_views(angles, focal=300.0, size=(320, 240)):
    """Views of a camera that turns about its centre, of a world painted on a far cylinder."""
    world = textured(480, 2400)
    width, height = size
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    views, rotations = [], []
    y, x = np.mgrid[:height, :width].astype(float)
    for angle in np.deg2rad(angles):
        c, s = np.cos(angle), np.sin(angle)
        R = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        rays = np.stack([x, y, np.ones_like(x)], -1) @ (R @ np.linalg.inv(K)).T
        u = (np.arctan2(rays[..., 0], rays[..., 2]) / (2 * np.pi) + 0.5) * 2399
        v = rays[..., 1] / np.hypot(rays[..., 0], rays[..., 2]) * 380 + 240
        views.append(cv2.remap(world, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR))
        rotations.append(R)
    links = {
        (i, i + 1): Link(K @ rotations[i + 1].T @ rotations[i] @ np.linalg.inv(K), 9)
        for i in range(len(views) - 1)
    }
    return views, links


def test_a_wide_sweep_is_shown_on_a_sphere():
    views, links = turned_views([-70, -35, 0, 35, 70])
    panorama = draw_panorama(views, arrange_photographs(5, links))
    height, width = panorama.shape[:2]
    expected = 300 * np.deg2rad(140 + 2 * np.rad2deg(np.arctan(160 / 300)))
    assert width == pytest.approx(expected, rel=0.03)
    assert (panorama[height // 2].max(axis=-1) > 0).mean() > 0.98


def test_a_small_sweep_is_shown_on_a_plane():
    views, links = turned_views([0, 15])
    layout = arrange_photographs(2, links)
    panorama = draw_panorama(views, layout)
    corners = np.array([[0, 0], [319, 0], [319, 239], [0, 239.0]])
    mapped = np.concatenate([transform_points(H, corners) for H in layout.H_to_reference])
    np.testing.assert_allclose(panorama.shape[1::-1], np.ptp(mapped, axis=0) + 1, atol=2)


def test_what_cannot_be_shown_is_an_error():
    images = [textured(120, 160)] * 2
    alone = Layout(reference=0, H_to_reference=(np.eye(3), None))
    with pytest.raises(ValueError, match="two photographs that are connected, found 1"):
        draw_panorama(images, alone)
    far = Layout(reference=0, H_to_reference=(np.eye(3), shift(1e5)))
    with pytest.raises(ValueError, match="more than the limit"):
        draw_panorama(images, far, max_pixels=10**7)
    huge = Layout(reference=0, H_to_reference=(np.eye(3), np.diag([9.0, 9, 1])))
    with pytest.raises(ValueError, match="seen from the side"):
        draw_panorama(images, huge)
