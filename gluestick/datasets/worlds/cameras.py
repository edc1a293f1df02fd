"""Two cameras in a room that see some of the same."""

import numpy as np
import torch
from torch import Tensor

from gluestick.datasets.worlds.render import View, find_visible_faces
from gluestick.datasets.worlds.rooms import Room

_COARSE_SIDE = 40  # px
_HIDDEN = 0.05
_WALL_DISTANCE = 0.3  # m
_NEAREST_SURFACE = 0.25  # m
_MIN_HEIGHT, _MAX_HEIGHT = 0.5, 2.1  # m
_FOCAL_LENGTH = (0.6, 1.3)
"""In units of the width."""


def draw_views(
    rng: np.random.Generator,
    room: Room,
    *,
    image_size: tuple[int, int],
    baseline: tuple[float, float],
    overlap: tuple[float, float],
    num_tries: int = 24,
) -> tuple[View, View]:
    """Draw two cameras.

    Args:
        rng: The source of randomness.
        room: The room.
        image_size: (width, height) px.
        baseline: m, the shortest and the longest distance between them.
        overlap: The lowest and the highest share of the pixels of one that the other sees.
        num_tries: After how many tries the pair that comes nearest is taken.

    Returns:
        Two cameras with the same calibration.
    """
    focal = rng.uniform(*_FOCAL_LENGTH) * image_size[0]
    centre = (np.array(image_size) - 1) / 2
    K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    best, best_miss = None, np.inf
    for _ in range(num_tries):
        views = _draw_pair(rng, room, K, image_size, baseline)
        share = shared_view(room, *views)
        miss = max(overlap[0] - share, share - overlap[1], 0.0)
        if best is None or miss < best_miss:
            best, best_miss = views, miss
        if miss == 0:
            break
    assert best is not None
    return best


def shared_view(room: Room, view0: View, view1: View) -> float:
    """Return the share in [0, 1] of the pixels of one camera that the other sees, the smaller.

    It is 0 if something stands right in front of a camera.
    """
    factor = _COARSE_SIDE / max(view0.image_size)
    coarse = view0.scaled(factor), view1.scaled(factor)
    depths = [find_visible_faces(room, view).depth for view in coarse]
    if min(float(depth.min()) for depth in depths) < _NEAREST_SURFACE:
        return 0.0
    return min(
        _seen_share(depths[0], depths[1], *coarse), _seen_share(depths[1], depths[0], *coarse[::-1])
    )


def _seen_share(depth0: Tensor, depth1: Tensor, view0: View, view1: View) -> float:
    height, width = depth0.shape
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    pixels = np.stack([x, y, np.ones_like(x)])
    rays = np.linalg.inv(view0.K) @ pixels * depth0.numpy().reshape(-1)
    points = view1.R @ (view0.R.T @ (rays - view0.t[:, None])) + view1.t[:, None]
    z = points[2]
    projected = view1.K @ points / np.maximum(z, 1e-6)
    column, row = np.round(projected[:2]).astype(int)
    inside = (z > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = depth1.numpy()[row.clip(0, height - 1), column.clip(0, width - 1)]
    return float((inside & (z < there * (1 + _HIDDEN))).mean())


def _draw_pair(
    rng: np.random.Generator,
    room: Room,
    K: np.ndarray,
    image_size: tuple[int, int],
    baseline: tuple[float, float],
) -> tuple[View, View]:
    low = np.array([_WALL_DISTANCE, _WALL_DISTANCE, _MIN_HEIGHT])
    high = np.array([*(room.size[:2] - _WALL_DISTANCE), min(_MAX_HEIGHT, room.size[2] - 0.2)])
    first = rng.uniform(low, high)
    direction = rng.normal(size=3) * [1, 1, 0.5]
    second = first + rng.uniform(*baseline) * direction / np.linalg.norm(direction)
    target = rng.uniform(0.1, 0.9, size=3) * room.size
    roll = rng.uniform(0.1, 0.2)
    return tuple(  # type: ignore[return-value]
        _look_at(rng, K, image_size, eye, target + offset, roll)
        for eye, offset in (
            (first, np.zeros(3)),
            (second.clip(low, high), rng.normal(0, 0.45, size=3)),
        )
    )


def _look_at(
    rng: np.random.Generator,
    K: np.ndarray,
    image_size: tuple[int, int],
    eye: np.ndarray,
    target: np.ndarray,
    roll: float,
) -> View:
    forward = target - eye
    forward /= max(np.linalg.norm(forward), 1e-6)
    right = np.cross(forward, [0, 0, 1])
    right /= max(np.linalg.norm(right), 1e-6)
    down = np.cross(forward, right)
    angle = rng.normal(0, roll)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    R = turn @ np.stack([right, down, forward])
    return View(K=K, R=R, t=-R @ eye, image_size=image_size)


def as_tensor(values: np.ndarray) -> Tensor:
    """Convert to single precision."""
    return torch.from_numpy(np.ascontiguousarray(values)).float()
