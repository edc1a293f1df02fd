"""Solids made of parallelograms.

Lengths are metres; x and y lie in the floor, z points up. A face is seen only from the side to
which the cross product of its two edges points.
"""

from dataclasses import dataclass, fields

import numpy as np

_UNIT_FACES = np.array(
    [
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],  # above
        [[0, 1, 0], [1, 0, 0], [0, -1, 0]],  # below
        [[0, 0, 0], [1, 0, 0], [0, 0, 1]],  # front, y = 0
        [[1, 1, 0], [-1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, -1, 0], [0, 0, 1]],
    ],
    dtype=np.float64,
)
"""The corner and the two edges of the faces of the unit cube, seen from outside."""


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Parallelograms.

    Attributes:
        corner: [F, 3] m.
        edge_u: [F, 3] m.
        edge_v: [F, 3] m.
        curved: [F] bool, whether the face is part of a curved surface, whose outline is no line
            on it but depends on where one stands.
        strip: [F, 2], which part of the texture's width the face shows, from and to, as shares;
            the faces of a curved surface share a texture.
    """

    corner: np.ndarray
    edge_u: np.ndarray
    edge_v: np.ndarray
    curved: np.ndarray
    strip: np.ndarray

    def __len__(self) -> int:
        return len(self.corner)


def flat_faces(corner: np.ndarray, edge_u: np.ndarray, edge_v: np.ndarray) -> Faces:
    """Return flat faces that each show a whole texture, from arrays [F, 3]."""
    return Faces(
        corner=corner,
        edge_u=edge_u,
        edge_v=edge_v,
        curved=np.zeros(len(corner), dtype=bool),
        strip=np.tile([0.0, 1.0], (len(corner), 1)),
    )


def join_faces(parts: list[Faces]) -> Faces:
    """Return all faces of at least one part, in order."""
    names = [field.name for field in fields(Faces)]
    return Faces(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def parallelepiped(corner: np.ndarray, axes: np.ndarray) -> Faces:
    """Return a solid that is seen from outside.

    Args:
        corner: [3] m.
        axes: [3, 3] m, the three edges that start there as rows, in right-handed order.
    """
    faces = _UNIT_FACES @ axes  # [6, 3, 3]
    return flat_faces(faces[:, 0] + corner, faces[:, 1], faces[:, 2])


def box(centre: np.ndarray, size: np.ndarray, *, yaw: float = 0.0) -> Faces:
    """Return a box turned about the vertical.

    Args:
        centre: [3] m, the middle of its lower face.
        size: [3] m, its lengths.
        yaw: Radians.
    """
    cosine, sine = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    axes = np.diag(size) @ turn
    return parallelepiped(centre - (axes[0] + axes[1]) / 2, axes)


def bar(start: np.ndarray, end: np.ndarray, *, thickness: float) -> Faces:
    """Return a straight bar with a square section between two points [3] m."""
    direction = (end - start) / np.linalg.norm(end - start)
    helper = np.eye(3)[np.argmin(abs(direction))]
    first = np.cross(direction, helper)
    first *= thickness / np.linalg.norm(first)
    second = np.cross(direction, first)
    return parallelepiped(start - (first + second) / 2, np.stack([first, second, end - start]))


def cylinder(start: np.ndarray, end: np.ndarray, *, radius: float, sides: int = 24) -> Faces:
    """Return the mantle of a cylinder between two points [3] m, in narrow flat strips."""
    axis = end - start
    direction = axis / np.linalg.norm(axis)
    first = np.cross(direction, np.eye(3)[np.argmin(abs(direction))])
    first /= np.linalg.norm(first)
    second = np.cross(direction, first)
    angles = np.linspace(0, 2 * np.pi, sides + 1)
    rim = start + radius * (np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second)
    shares = np.linspace(0, 1, sides + 1)
    return Faces(
        corner=rim[:-1],
        edge_u=rim[1:] - rim[:-1],
        edge_v=np.tile(axis, (sides, 1)),
        curved=np.ones(sides, dtype=bool),
        strip=np.stack([shares[:-1], shares[1:]], axis=1),
    )


def hollow(size: np.ndarray) -> Faces:
    """Return a box with one corner at the origin that is seen from inside, lengths [3] m."""
    outside = parallelepiped(np.zeros(3), np.diag(size))
    return flat_faces(outside.corner + outside.edge_u, -outside.edge_u, outside.edge_v)
