"""Where lines in space begin and end, as the views that see them say in the middle."""

import numpy as np

from gluestick.reconstruction.lines.refinement import FittedLines
from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes


def positions_along(
    planes: ViewingPlanes, lines: FittedLines, owner: np.ndarray, segments: np.ndarray
) -> np.ndarray:
    """Return where on its line each segment begins and ends.

    An end lies where the line is nearest to the ray through it.

    Args:
        planes: The segments.
        lines: The lines.
        owner: [O], the line of each observation.
        segments: [O], the segment of each observation.

    Returns:
        [O, 2], ascending, distances from the lines' points.
    """
    rays = planes.rays[segments]
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    directions = lines.directions[owner]
    offsets = planes.centre[segments] - lines.points[owner]
    cosines = np.einsum("oei,oi->oe", rays, directions)
    along_line = np.einsum("oi,oi->o", offsets, directions)[:, None]
    along_rays = np.einsum("oei,oi->oe", rays, offsets)
    found = (along_line - cosines * along_rays) / np.maximum(1 - cosines**2, 1e-12)
    return np.sort(found, axis=1)


def median_extents(
    planes: ViewingPlanes,
    owner: np.ndarray,
    segments: np.ndarray,
    positions: np.ndarray,
    num_lines: int,
) -> np.ndarray:
    """Return where lines begin and end: the medians over the views of what each sees.

    Args:
        planes: The segments.
        owner: [O], the line of each observation; every line has one.
        segments: [O], the segment of each observation.
        positions: [O, 2], from :func:`positions_along`. Fragments in one view are joined.
        num_lines: How many lines there are.

    Returns:
        [num_lines, 2], ascending.
    """
    num_views = int(planes.view.max(initial=0)) + 1
    key, place = np.unique(owner * num_views + planes.view[segments], return_inverse=True)
    first, last = np.full(len(key), np.inf), np.full(len(key), -np.inf)
    np.minimum.at(first, place, positions[:, 0])
    np.maximum.at(last, place, positions[:, 1])
    groups = key // num_views
    return np.stack([_medians(groups, values, num_lines) for values in (first, last)], axis=1)


def _medians(groups: np.ndarray, values: np.ndarray, num_groups: int) -> np.ndarray:
    ordered = values[np.lexsort((values, groups))]
    count = np.bincount(groups, minlength=num_groups)
    start = np.cumsum(count) - count
    return (ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2
