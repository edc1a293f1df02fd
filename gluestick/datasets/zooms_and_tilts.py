"""Pairs of views that differ by a zoom or a tilt alone.

A zoom shows a window of a photograph against the whole; a tilt is that of ASIFT (Morel and Yu,
2009): the photograph squeezed along one direction, as a wall that is seen from the side.
"""

import numpy as np


def draw_zoom(
    rng: np.random.Generator, *, image_size: tuple[int, int], zoom: float, max_turn: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a window of 1/zoom of a photograph, anywhere in it, against the whole.

    Args:
        rng: The source of randomness.
        image_size: (width, height) px of the photograph and of both views.
        zoom: At least 1.
        max_turn: Degrees; the window is turned by up to this, and may then stand out.

    Returns:
        Two homographies [3, 3] float64 from the photograph to the window and to the whole, in px.
    """
    centre = _centre(image_size)
    room = centre * (1 - 1 / zoom)
    middle = centre + rng.uniform(-room, room)
    enlarged = zoom * _rotation(_drawn_turn(rng, max_turn))
    return _affine(enlarged, middle, centre), np.eye(3)


def draw_tilt(
    rng: np.random.Generator, *, image_size: tuple[int, int], tilt: float, max_turn: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a photograph against itself squeezed along a direction of any angle.

    Args:
        rng: The source of randomness.
        image_size: (width, height) px of the photograph and of both views.
        tilt: At least 1, by how much it is squeezed.
        max_turn: Degrees; the squeezed view is turned by up to this, and may then stand out.

    Returns:
        Two homographies [3, 3] float64 from the photograph to the whole and to the squeezed view,
        in px.
    """
    centre = _centre(image_size)
    along = _rotation(rng.uniform(0, 180))
    squeezed = along @ np.diag([1 / tilt, 1.0]) @ along.T
    turned = _rotation(_drawn_turn(rng, max_turn)) @ squeezed
    return np.eye(3), _affine(turned, centre, centre)


def _drawn_turn(rng: np.random.Generator, max_turn: float) -> float:
    return rng.uniform(-max_turn, max_turn)


def _centre(image_size: tuple[int, int]) -> np.ndarray:
    return (np.array(image_size, dtype=np.float64) - 1) / 2


def _rotation(degrees: float) -> np.ndarray:
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])


def _affine(linear: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the map [3, 3] with a linear part [2, 2] that takes source to target."""
    H = np.eye(3)
    H[:2, :2] = linear
    H[:2, 2] = target - linear @ source
    return H
