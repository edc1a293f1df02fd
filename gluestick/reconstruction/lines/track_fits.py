"""Tracks with the lines that fit them."""

from dataclasses import dataclass

import numpy as np

from gluestick.reconstruction.lines.extents import median_extents, positions_along
from gluestick.reconstruction.lines.hypotheses import Proposals
from gluestick.reconstruction.lines.refinement import FittedLines, fit_lines
from gluestick.reconstruction.lines.tracks import Tracks
from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes


@dataclass(frozen=True, kw_only=True)
class TrackFit:
    """Tracks with their lines.

    Attributes:
        lines: The N infinite lines.
        owner: [O] int64, the line of each observation, ascending.
        segments: [O] int64, the segment of each observation.
        positions: [O, 2], where on its line each observation begins and ends.
        extents: [N, 2], where each line begins and ends.
    """

    lines: FittedLines
    owner: np.ndarray
    segments: np.ndarray
    positions: np.ndarray
    extents: np.ndarray

    def ends(self) -> np.ndarray:
        """Return the ends in the world, [N, 2, 3]."""
        steps = self.extents[..., None] * self.lines.directions[:, None]
        return self.lines.points[:, None] + steps

    def distances(self, planes: ViewingPlanes) -> np.ndarray:
        """Return how far the ends of the observations are from the lines, [O, 2] detection px."""
        points, directions = self.lines.points[self.owner], self.lines.directions[self.owner]
        return np.abs(planes.distances(points, directions, self.segments))

    def errors(self, planes: ViewingPlanes) -> np.ndarray:
        """Return the means of these distances for each line, [N] px of the photographs."""
        sizes = self.distances(planes).mean(axis=1) * planes.pixel[self.segments]
        num = len(self.extents)
        total = np.bincount(self.owner, sizes, minlength=num).astype(np.float64)
        return total / np.maximum(np.bincount(self.owner, minlength=num), 1)


def settle_tracks(
    planes: ViewingPlanes,
    tracks: Tracks,
    found: Proposals,
    *,
    max_distance: float,
    loss_scale: float,
) -> TrackFit:
    """Fit lines to tracks, and take out segments until all that are left fit.

    Args:
        planes: The segments.
        tracks: The tracks, from which segments are taken.
        found: Where segments lie in space, from which the fits begin. It is changed: segments of
            a track lie where its line does, and of those taken out nothing is known.
        max_distance: The largest distance of a segment's ends from the line, detection px.
        loss_scale: See :func:`gluestick.reconstruction.lines.refinement.fit_lines`.

    Returns:
        The tracks of two views and more, each segment of which sees a part of what its line is.
    """
    while True:
        fit = _fitted(planes, tracks, found, loss_scale)
        found.ends[fit.segments] = fit.ends()[fit.owner]
        found.score[fit.segments] = np.bincount(fit.owner)[fit.owner]
        unfit = fit.segments[_unfit(planes, fit, max_distance)]
        if not len(unfit):
            return fit
        tracks.remove(unfit)
        found.ends[unfit], found.score[unfit] = np.nan, 0


def _fitted(planes: ViewingPlanes, tracks: Tracks, found: Proposals, loss_scale: float) -> TrackFit:
    owner, segments = tracks.observations(min_views=2)
    order = np.lexsort((-found.score[segments], owner))
    first = np.unique(owner, return_index=True)[1]
    ends = found.ends[segments[order][first]]  # of each track, the place that is known best
    lines = fit_lines(
        planes,
        ends.mean(axis=1),
        ends[:, 1] - ends[:, 0],
        owner,
        segments,
        loss_scale=loss_scale,
    )
    positions = positions_along(planes, lines, owner, segments)
    extents = median_extents(planes, owner, segments, positions, len(ends))
    return TrackFit(
        lines=lines, owner=owner, segments=segments, positions=positions, extents=extents
    )


def _unfit(planes: ViewingPlanes, fit: TrackFit, max_distance: float) -> np.ndarray:
    """Return which observations [O] are too far off, see another part, or look away."""
    far = (fit.distances(planes) > max_distance).any(axis=1)
    extents = fit.extents[fit.owner]
    apart = (fit.positions[:, 1] < extents[:, 0]) | (fit.positions[:, 0] > extents[:, 1])
    behind = (planes.depths(fit.ends()[fit.owner], fit.segments) <= 0).any(axis=1)
    return np.asarray(far | apart | behind)
