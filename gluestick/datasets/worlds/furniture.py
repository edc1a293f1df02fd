"""What stands in a room: boxes, tables, shelves, stairs, poles, wires, columns and pictures."""

from collections.abc import Callable

import numpy as np

from gluestick.datasets.worlds.solids import Faces, bar, box, cylinder, join_faces, parallelepiped

Maker = Callable[[np.random.Generator, np.ndarray], list[Faces]]
"""Makes one piece for a room of some size [3] m: parts, each of which has textures of its own."""


def make_box(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return a box on the floor or floating, straight or turned."""
    size = rng.uniform(0.25, 1.3, size=3)
    yaw = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    height = rng.uniform(0, room[2] - size[2]) if rng.random() < 0.4 else 0.0
    return [box(_place(rng, room, height=max(height, 0.0)), size, yaw=yaw)]


def make_table(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return a slab on four legs."""
    size = np.array([*rng.uniform(0.6, 1.8, size=2), rng.uniform(0.4, 1.1)])
    thickness, leg, yaw = rng.uniform(0.02, 0.08), rng.uniform(0.03, 0.09), _some_yaw(rng)
    centre = _place(rng, room)
    top = box(centre + _up(size[2]), np.array([size[0], size[1], thickness]), yaw=yaw)
    cosine, sine = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    reach = (size[:2] - leg) / 2 - rng.uniform(0, 0.1)
    legs = [
        box(centre + np.append((reach * signs) @ turn, 0), np.array([leg, leg, size[2]]), yaw=yaw)
        for signs in np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    ]
    return [top, join_faces(legs)]


def make_shelf(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return two uprights with boards between them and things on the boards."""
    width, depth, height = rng.uniform(0.6, 1.6), rng.uniform(0.25, 0.5), rng.uniform(0.9, 2.1)
    board, centre = rng.uniform(0.015, 0.05), _place(rng, room)
    boards = [
        box(centre + _up(z), np.array([width, depth, board]))
        for z in np.linspace(0, height - board, rng.integers(3, 7))
    ]
    uprights = [
        box(centre + np.array([side * (width + board) / 2, 0, 0]), np.array([board, depth, height]))
        for side in (-1, 1)
    ]
    things = [
        box(
            boards[rng.integers(len(boards) - 1)].corner[0]
            + np.array([rng.uniform(0.1, width - 0.1), depth / 2, 0]),
            rng.uniform(0.06, 0.2, size=3),
            yaw=_some_yaw(rng),
        )
        for _ in range(rng.integers(0, 5))
    ]
    return [join_faces(boards + uprights), *things]


def make_stairs(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return steps that lie on each other."""
    steps, rise, run = rng.integers(3, 9), rng.uniform(0.12, 0.22), rng.uniform(0.2, 0.35)
    width, yaw, centre = rng.uniform(0.6, 1.8), rng.integers(4) * np.pi / 2, _place(rng, room)
    forward = np.array([-np.sin(yaw), np.cos(yaw), 0])
    return [
        join_faces(
            [
                box(
                    centre + forward * run * step + _up(rise * step),
                    np.array([width, run, rise]),
                    yaw=yaw,
                )
                for step in range(steps)
            ]
        )
    ]


def make_pole(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return an upright bar from the floor to the ceiling, or lower."""
    foot = _place(rng, room)
    height = room[2] if rng.random() < 0.5 else rng.uniform(1, room[2])
    return [bar(foot, foot + _up(height), thickness=rng.uniform(0.02, 0.1))]


def make_wires(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return a few thin bars between two walls, side by side."""
    across = rng.integers(2)
    start, end = (rng.uniform(0.2, 0.8, size=3) * room for _ in range(2))
    start[across], end[across] = 0.0, room[across]
    start[2], end[2] = rng.uniform(0.9, 0.97 * room[2], size=2)
    thickness = rng.uniform(0.006, 0.02)
    step = np.zeros(3)
    step[1 - across if rng.random() < 0.5 else 2] = -rng.uniform(0.05, 0.2)
    return [
        join_faces(
            [
                bar(start + index * step, end + index * step, thickness=thickness)
                for index in range(rng.integers(1, 5))
            ]
        )
    ]


def make_column(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return an upright or lying cylinder."""
    foot, radius = _place(rng, room), rng.uniform(0.05, 0.35)
    if rng.random() < 0.7:
        return [cylinder(foot, foot + _up(room[2]), radius=radius)]
    yaw = rng.uniform(0, np.pi)
    reach = rng.uniform(0.3, 1.2) * np.array([np.cos(yaw), np.sin(yaw), 0])
    centre = foot + _up(rng.uniform(radius, room[2] - radius))
    return [cylinder(centre - reach, centre + reach, radius=radius)]


def make_picture(rng: np.random.Generator, room: np.ndarray) -> list[Faces]:
    """Return a thin panel in front of a wall."""
    width, height, thickness = rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.2), rng.uniform(0.01, 0.06)
    axis, far = rng.integers(2), bool(rng.integers(2))
    corner = np.zeros(3)
    corner[1 - axis] = rng.uniform(0, max(room[1 - axis] - width, 0.0))
    corner[2] = rng.uniform(0.4, max(room[2] - height, 0.5))
    corner[axis] = room[axis] - thickness if far else 0.0
    sizes = np.zeros(3)
    sizes[axis], sizes[1 - axis], sizes[2] = thickness, width, height
    return [parallelepiped(corner, np.diag(sizes))]


FURNITURE: tuple[tuple[Maker, float], ...] = (
    (make_box, 0.34),
    (make_table, 0.12),
    (make_shelf, 0.1),
    (make_stairs, 0.08),
    (make_pole, 0.08),
    (make_wires, 0.06),
    (make_column, 0.08),
    (make_picture, 0.14),
)
"""What can be made, and how often."""


def _place(rng: np.random.Generator, room: np.ndarray, *, height: float = 0.0) -> np.ndarray:
    return np.array([*(rng.uniform(0.08, 0.92, size=2) * room[:2]), height])


def _some_yaw(rng: np.random.Generator) -> float:
    return float(rng.uniform(0, np.pi)) if rng.random() < 0.5 else 0.0


def _up(height: float) -> np.ndarray:
    return np.array([0, 0, height])
