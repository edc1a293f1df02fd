"""Attempts at matching a pair, made of matches alone."""

from types import SimpleNamespace

import numpy as np

from gluestick.viewpoint.attempts import PairAttempt

SIZE = (640, 480)


def random_positions(rng: np.random.Generator, number: int) -> np.ndarray:
    """Return positions [number, 2] px in an image."""
    return rng.uniform((0, 0), SIZE, (number, 2))


def upright_attempt(points0: np.ndarray, points1: np.ndarray, *, confidence: float) -> PairAttempt:
    """Return a pair that was matched as it is."""
    seen = SimpleNamespace(views=(None,), scales=(1.0,))
    return PairAttempt(
        wireframe0=seen,
        wireframe1=seen,
        points0=points0,
        points1=points1,
        size0=SIZE,
        size1=SIZE,
        confidence=confidence,
        support=0.5,
        matches=None,
    )
