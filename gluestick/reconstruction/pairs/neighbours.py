"""Pairs of photographs that follow each other, or were taken near each other."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial import cKDTree

from gluestick.export.folder_images import NamePair

Position = tuple[float, float, float]
"""Latitude and longitude in degrees, metres above the sea."""

_SEMI_MAJOR, _FLATTENING = 6378137.0, 1 / 298.257223563
"""The ellipsoid of WGS 84, metres."""


def following_pairs(names: Sequence[str], *, overlap: int) -> list[NamePair]:
    """Return each photograph with those that follow it.

    Args:
        names: The photographs in their order.
        overlap: With how many of the following ones each is paired.

    Returns:
        The pairs, in the order of their first photographs.
    """
    return [
        (name, names[other])
        for index, name in enumerate(names)
        for other in range(index + 1, min(index + overlap, len(names) - 1) + 1)
    ]


def near_pairs(
    positions: Mapping[str, Position], *, num_neighbours: int, max_distance: float
) -> list[NamePair]:
    """Return each photograph with those that were taken nearest to it.

    Args:
        positions: Where they were taken, by name.
        num_neighbours: With how many each is paired at most.
        max_distance: Up to which distance, metres.

    Returns:
        The pairs, each once, in the order of the positions.
    """
    names = list(positions)
    if len(names) < 2:
        return []
    places = earth_centred(np.array(list(positions.values())))
    # One more is asked for, since each is its own neighbour.
    _, indices = cKDTree(places).query(
        places, k=min(num_neighbours + 1, len(names)), distance_upper_bound=max_distance
    )
    found = [
        (min(index, other), max(index, other))
        for index, row in enumerate(indices.tolist())
        for other in row
        if other < len(names) and other != index
    ]
    return [(names[first], names[second]) for first, second in sorted(set(found))]


def earth_centred(positions: np.ndarray) -> np.ndarray:
    """Return positions in metres from the centre of the earth (WGS 84).

    Args:
        positions: [N, 3], latitude and longitude in degrees and metres above the ellipsoid.

    Returns:
        [N, 3].
    """
    latitude, longitude = np.radians(positions[:, 0]), np.radians(positions[:, 1])
    squared = _FLATTENING * (2 - _FLATTENING)
    radius = _SEMI_MAJOR / np.sqrt(1 - squared * np.sin(latitude) ** 2)
    out = radius + positions[:, 2]
    return np.stack(
        [
            out * np.cos(latitude) * np.cos(longitude),
            out * np.cos(latitude) * np.sin(longitude),
            (radius * (1 - squared) + positions[:, 2]) * np.sin(latitude),
        ],
        axis=1,
    )
