"""Synthetic views of a plane with matched points and lines."""

from types import SimpleNamespace

import numpy as np

from gluestick.geometry.homography import transform_lines, transform_points

WIDTH, HEIGHT = 640, 480


def _random_homography(rng: np.random.Generator) -> np.ndarray:
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], dtype=float)
    angle, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.7, 1.4)
    centre = np.array([WIDTH, HEIGHT]) / 2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = corners + rng.uniform(-0.15, 0.15, (4, 2)) * [WIDTH, HEIGHT]
    moved = (moved - centre) @ turn.T + centre
    rows = []
    for (x, y), (u, v) in zip(corners, moved, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(rows, moved.ravel()), 1).reshape(3, 3)


def _random_segments(rng: np.random.Generator, number: int) -> np.ndarray:
    middle = rng.uniform(0, 1, (number, 2)) * [WIDTH, HEIGHT]
    angle, length = rng.uniform(0, np.pi, number), rng.uniform(20, 150, number)
    half = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None] / 2
    return np.stack([middle - half, middle + half], axis=1)


def _detect(rng: np.random.Generator, lines: np.ndarray, noise: float) -> np.ndarray:
    """Noise across, endpoints sliding along by up to a quarter, half of them reversed."""
    along = lines[:, 1] - lines[:, 0]
    across = along[:, ::-1] * [-1, 1] / np.linalg.norm(along, axis=1, keepdims=True)
    number = len(lines)
    lines = lines + across[:, None] * rng.normal(0, noise, (number, 2, 1))
    lines += along[:, None] * rng.uniform(-0.25, 0.25, (number, 2, 1))
    reverse = rng.random(number) < 0.5
    lines[reverse] = lines[reverse][:, ::-1]
    return lines


def make_planar_scene(
    seed: int,
    *,
    points: int = 0,
    lines: int = 0,
    outliers: float = 0.5,
    line_outliers: float | None = None,
    point_noise: float = 0.7,
    line_noise: float = 0.7,
) -> SimpleNamespace:
    """Two views of a plane: matched points and lines, the first of them wrong matches."""
    rng = np.random.default_rng(seed)
    H = _random_homography(rng)
    points0 = rng.uniform(0, 1, (points, 2)) * [WIDTH, HEIGHT]
    points1 = transform_points(H, points0)
    wrong_points = np.arange(points) < round(outliers * points)
    points1[wrong_points] = rng.uniform(0, 1, (wrong_points.sum(), 2)) * [WIDTH, HEIGHT]
    lines0 = _random_segments(rng, lines)
    lines1 = transform_lines(H, lines0)
    share = outliers if line_outliers is None else line_outliers
    wrong_lines = np.arange(lines) < round(share * lines)
    lines1[wrong_lines] = _random_segments(rng, wrong_lines.sum())
    return SimpleNamespace(
        H=H,
        image_size=(WIDTH, HEIGHT),
        points0=points0 + rng.normal(0, point_noise, (points, 2)),
        points1=points1 + rng.normal(0, point_noise, (points, 2)),
        lines0=_detect(rng, lines0, line_noise),
        lines1=_detect(rng, lines1, line_noise),
        point_inliers=~wrong_points,
        line_inliers=~wrong_lines,
    )
