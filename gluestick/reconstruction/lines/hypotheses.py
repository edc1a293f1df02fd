"""Where each segment lies in space, as its matches propose and the other views agree.

A match proposes that a segment lies where the viewing plane of its partner cuts the rays of its
ends. The proposal that most views support is kept (the scheme of Liu et al., "3D Line Mapping
Revisited", CVPR 2023, with a score of our own).
"""

from dataclasses import dataclass

import numpy as np

from gluestick.export.folder_images import Progress, no_progress
from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes

COMBINATIONS = 400_000
"""How many pairs of a segment in space and one of a photograph are compared together."""


@dataclass(frozen=True, kw_only=True)
class SupportConfig:
    """When a segment in space and one of a photograph agree.

    Attributes:
        max_distance: The largest distance of the segment's ends from the projected line,
            detection px.
        max_angle: The largest angle between both, degrees.
        min_overlap: The least share of the shorter of both that they have in common along the
            line.
    """

    max_distance: float = 2.5
    max_angle: float = 8.0
    min_overlap: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Matches between single segments, each in both directions, ordered by ``source``.

    Attributes:
        source: [E] int64, a segment.
        target: [E] int64, its partner.
        score: [E], of the match.
    """

    source: np.ndarray
    target: np.ndarray
    score: np.ndarray


def triangulate(
    planes: ViewingPlanes, source: np.ndarray, target: np.ndarray, *, min_angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the rays of segments with the viewing planes of their partners.

    Args:
        planes: The segments.
        source: [N], the segments whose ends are sought.
        target: [N], their partners.
        min_angle: The least angle between a ray and the plane, degrees. Below, as for lines that
            nearly lie in the epipolar plane, noise decides the depth.

    Returns:
        The ends [N, 2, 3] in the world, and which of them are usable [N] bool: the angle is
        large enough, and both ends are in front of both cameras.
    """
    normal, rays = planes.normal[target], planes.rays[source]
    towards = np.einsum("nei,ni->ne", rays, normal)
    sines = np.abs(towards) / np.linalg.norm(rays, axis=-1)
    usable = (sines >= np.sin(np.radians(min_angle))).all(axis=1)
    offset = np.einsum("ni,ni->n", planes.centre[target] - planes.centre[source], normal)
    depths = offset[:, None] / np.where(usable[:, None], towards, 1)
    ends = planes.centre[source][:, None] + depths[..., None] * rays
    usable &= (depths > 0).all(axis=1) & (planes.depths(ends, target) > 0).all(axis=1)
    return ends, usable


def support(
    planes: ViewingPlanes, ends: np.ndarray, segments: np.ndarray, config: SupportConfig
) -> np.ndarray:
    """Say how well segments in space agree with segments of photographs.

    Args:
        planes: The segments of the photographs.
        ends: [N, 2, 3], the ends in space.
        segments: [N], the segments that they are compared with.
        config: When they agree.

    Returns:
        [N] in [0, 1]: 0 where they do not, and otherwise falling with the distance.
    """
    directions = ends[:, 1] - ends[:, 0]
    distances = planes.distances(ends[:, 0], directions, segments)
    length = np.maximum(planes.length[segments], np.finfo(np.float64).tiny)
    sines = np.abs(distances[:, 1] - distances[:, 0]) / length
    agree = (np.abs(distances) <= config.max_distance).all(axis=1)
    agree &= sines <= np.sin(np.radians(config.max_angle))
    agree &= (planes.depths(ends, segments) > 0).all(axis=1)
    agree &= _overlap(planes, ends, segments) >= config.min_overlap
    spread = config.max_distance / 2
    return np.where(agree, np.exp(-0.5 * (distances**2).mean(axis=1) / spread**2), 0.0)


def _overlap(planes: ViewingPlanes, ends: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Return which share of the shorter one [N] projected and seen segments have in common."""
    seen = planes.ends[segments]
    step = seen[:, 1] - seen[:, 0]
    squared = np.maximum((step**2).sum(axis=1), np.finfo(np.float64).tiny)
    offsets = planes.project(ends, segments) - seen[:, :1]
    along = np.einsum("nei,ni->ne", offsets, step) / squared[:, None]  # 0 to 1 on the segment
    first, last = along.min(axis=1), along.max(axis=1)
    common = np.minimum(last, 1) - np.maximum(first, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(common / np.minimum(last - first, 1), nan=0.0)


@dataclass(kw_only=True)
class Proposals:
    """For each segment where it lies in space, as far as is known.

    Attributes:
        ends: [S, 2, 3], the ends in the world, NaN where nothing is known.
        score: [S], how much speaks for it; 0 where nothing is known.
    """

    ends: np.ndarray
    score: np.ndarray


def best_proposals(
    planes: ViewingPlanes,
    edges: Edges,
    *,
    min_views: int,
    min_angle: float,
    max_proposals: int,
    config: SupportConfig,
    progress: Progress = no_progress,
) -> Proposals:
    """Find for each segment the place in space that most views support.

    Args:
        planes: The segments.
        edges: Their matches.
        min_views: By how many views, that of the segment included, it needs to be seen.
        min_angle: See :func:`triangulate`.
        max_proposals: How many matches of a segment, those with the best scores, may propose.
        config: When a view supports a proposal: a segment matched with the own one agrees.
        progress: Shows how far it is.

    Returns:
        The best proposals.
    """
    best = Proposals(
        ends=np.full((len(planes), 2, 3), np.nan), score=np.zeros(len(planes), np.float64)
    )
    count = np.bincount(edges.source, minlength=len(planes))
    start = np.cumsum(count) - count
    chosen = np.flatnonzero(_ranks(edges, start) < max_proposals)
    work = np.cumsum(count[edges.source[chosen]])
    cuts = np.searchsorted(work, np.arange(0, work[-1] if len(work) else 0, COMBINATIONS)[1:])
    for part in progress(np.split(chosen, cuts), "Lines in space"):
        ends, usable = triangulate(
            planes, edges.source[part], edges.target[part], min_angle=min_angle
        )
        ends, sources = ends[usable], edges.source[part[usable]]
        scores, num_views = _consensus(planes, edges, ends, sources, start, count, config)
        scores = np.where(num_views + 1 >= min_views, scores, 0)
        for row, (segment, score) in enumerate(zip(sources, scores, strict=True)):
            if score > best.score[segment]:
                best.ends[segment], best.score[segment] = ends[row], score
    return best


def _ranks(edges: Edges, start: np.ndarray) -> np.ndarray:
    """Return the place of each edge among those of its source, the best score first."""
    order = np.lexsort((-edges.score, edges.source))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - start[edges.source[order]]
    return ranks


def _consensus(
    planes: ViewingPlanes,
    edges: Edges,
    ends: np.ndarray,
    sources: np.ndarray,
    start: np.ndarray,
    count: np.ndarray,
    config: SupportConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Return for proposals [N, 2, 3] the sum of the best support of each view, and their number."""
    num = count[sources]
    proposal = np.repeat(np.arange(len(sources)), num)
    offset = np.arange(len(proposal)) - np.repeat(np.cumsum(num) - num, num)
    target = edges.target[start[sources][proposal] + offset]
    found = support(planes, ends[proposal], target, config)
    num_views = int(planes.view.max(initial=0)) + 1
    key, place = np.unique(proposal * num_views + planes.view[target], return_inverse=True)
    by_view = np.zeros(len(key))
    np.maximum.at(by_view, place, found)
    owner = key // num_views
    scores = np.bincount(owner, by_view, minlength=len(sources))
    return scores, np.bincount(owner, by_view > 0, minlength=len(sources)).astype(np.int64)
