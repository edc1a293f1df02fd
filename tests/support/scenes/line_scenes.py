"""Cameras on an arc before known segments in space, and what they see of them."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sfm_scenes import CAMERA, look_at

from gluestick.geometry.projection import project_points
from gluestick.reconstruction.lines import LineMap, LineMatches, LineView


@dataclass(frozen=True)
class LineScene:
    """Segments in space [N, 2, 3], the views, and right matches of all pairs of views."""

    segments: np.ndarray
    views: list[LineView]
    matches: list[LineMatches]


def segments_in_space(count: int, *, seed: int = 0) -> np.ndarray:
    """Return segments of any direction, [count, 2, 3]."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(-1.2, 1.2, (count, 3))
    steps = rng.normal(size=(count, 3))
    steps *= rng.uniform(0.2, 0.5, (count, 1)) / np.linalg.norm(steps, axis=1, keepdims=True)
    return np.stack([middles - steps, middles + steps], axis=1)


def arc_of_cameras(count: int) -> list[np.ndarray]:
    """Return the centres of cameras that are not on one line."""
    angles = np.linspace(-0.5, 0.5, count)
    return [
        np.array([5 * np.sin(a), 0.6 * np.cos(3 * i), -5 * np.cos(a)]) for i, a in enumerate(angles)
    ]


def line_scene(
    segments: np.ndarray,
    centres: list[np.ndarray],
    *,
    noise: float = 0.0,
    wrong: float = 0.0,
    seed: int = 1,
) -> LineScene:
    """Return what cameras at given centres see, in another order in each of them.

    Args:
        segments: [N, 2, 3].
        centres: The centres; all look at the origin.
        noise: The standard deviation of the ends, px.
        wrong: Which share of the matches goes elsewhere.
        seed: Of the noise, orders and wrong matches.
    """
    rng = np.random.default_rng(seed)
    views, orders = [], []
    for number, centre in enumerate(centres):
        pose = look_at(centre, np.zeros(3))
        seen = project_points(segments, pose, CAMERA)[0]
        order = rng.permutation(len(segments))
        lines = (seen + rng.normal(0, noise, seen.shape))[order]
        views.append(LineView(name=f"{number}.png", K=CAMERA.K, pose=pose, lines=lines))
        orders.append(np.argsort(order))
    matches = []
    for first, second in combinations(range(len(views)), 2):
        pairs = np.stack([orders[first], orders[second]], axis=1)
        moved = rng.random(len(pairs)) < wrong
        pairs[moved, 1] = rng.integers(0, len(pairs), moved.sum())
        scores = rng.uniform(0.5, 1, len(pairs))
        matches.append(LineMatches(view0=first, view1=second, pairs=pairs, scores=scores))
    return LineScene(segments, views, matches)


def nearest_segments(found: LineMap, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each found line the known segment whose ends are nearest, and how far they are.

    Returns:
        [M] int64, and [M], the distance of the farther end.
    """
    ends = found.segments[:, None]
    ways = [np.linalg.norm(ends - segments[:, way], axis=-1) for way in ([0, 1], [1, 0])]
    distances = np.minimum(*(way.max(axis=-1) for way in ways))
    nearest = distances.argmin(axis=1)
    return nearest, distances[np.arange(len(nearest)), nearest]
