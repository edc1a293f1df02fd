"""Matched segments of posed photographs become segments in space."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gluestick.export.folder_images import Progress, no_progress
from gluestick.reconstruction.lines.hypotheses import (
    COMBINATIONS,
    Edges,
    Proposals,
    SupportConfig,
    best_proposals,
    support,
)
from gluestick.reconstruction.lines.track_fits import TrackFit, settle_tracks
from gluestick.reconstruction.lines.tracks import Tracks
from gluestick.reconstruction.lines.values import LineMap, LineMatches, LineView
from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes

_ROUNDS = 3
"""How often tracks are joined and fitted."""


@dataclass(frozen=True, kw_only=True)
class LineMapConfig:
    """Options of a line map. Distances are in px of the images in which lines were detected.

    Attributes:
        min_views: By how many photographs a line needs to be seen, at least 2.
        min_angle: The least angle between a line of sight and the viewing plane of another
            photograph that is to say where on it a line lies, degrees.
        max_proposals: How many matches of a segment, those with the best scores, may propose
            where it lies.
        support: When a line and a segment of a photograph agree.
        loss_scale: From which distance on an end of a segment counts less in the fit.
        max_uncertainty: By how much an end may be off if those of the segments are off by one
            px, as a share of its distance from the nearest camera of its track.
    """

    min_views: int = 3
    min_angle: float = 1.0
    max_proposals: int = 16
    support: SupportConfig = field(default_factory=SupportConfig)
    loss_scale: float = 1.0
    max_uncertainty: float = 0.03

    def __post_init__(self) -> None:
        if self.min_views < 2:
            raise ValueError(f"min_views needs to be at least 2, found {self.min_views}")


def make_line_map(
    views: Sequence[LineView],
    matches: Sequence[LineMatches],
    *,
    config: LineMapConfig | None = None,
    progress: Progress = no_progress,
) -> LineMap:
    """Find the lines that matched segments show.

    Each match proposes where its segments lie, the proposals that most views support are kept,
    segments whose proposals agree with each other's become a track, and one line is fitted to all
    segments of a track, whose ends are the medians of what its photographs see. What is known
    too badly, as lines in the epipolar plane of all their photographs, is left out.

    Args:
        views: Photographs with poses, calibrations and segments.
        matches: Segments that may be parts of one line, for any pairs of views.
        config: The options.
        progress: Shows how far it is.

    Returns:
        The lines, those that most photographs see first; none where there are no matches.

    Raises:
        ValueError: If a match names a view or a segment that is not there.
    """
    config = config or LineMapConfig()
    planes = ViewingPlanes(views)
    edges = _edges(planes, matches)
    proposals = best_proposals(
        planes,
        edges,
        min_views=config.min_views,
        min_angle=config.min_angle,
        max_proposals=config.max_proposals,
        config=config.support,
        progress=progress,
    )
    tracks = Tracks(planes, max_distance=config.support.max_distance)
    for number in range(_ROUNDS):
        pairs, scores = _agreeing(planes, edges, proposals, config.support, one_way=number > 0)
        joined = tracks.join(pairs, scores)
        fit = settle_tracks(
            planes,
            tracks,
            proposals,
            max_distance=config.support.max_distance,
            loss_scale=config.loss_scale,
        )
        if not joined:
            break
    return _line_map(planes, fit, config)


def _edges(planes: ViewingPlanes, matches: Sequence[LineMatches]) -> Edges:
    """Return all matches both ways, each pair once with its best score."""
    pairs, scores = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    num_views = len(planes.starts) - 1
    counts = np.diff(planes.starts)
    for each in matches:
        sides = (each.view0, each.view1)
        if not all(0 <= view < num_views for view in sides) or each.view0 == each.view1:
            raise ValueError(f"matches need two of {num_views} views, found {sides}")
        limits = counts[list(sides)]
        indices = np.asarray(each.pairs).astype(np.int64)
        if ((indices < 0) | (indices >= limits)).any():
            raise ValueError(
                f"matches of the views {sides} need segments below {limits.tolist()}, found "
                f"{indices.min(axis=0).tolist()} to {indices.max(axis=0).tolist()}"
            )
        pairs.append(indices + planes.starts[list(sides)])
        scores.append(np.asarray(each.scores, np.float64))
    both, score = np.concatenate(pairs), np.concatenate(scores)
    both, score = np.concatenate([both, both[:, ::-1]]), np.concatenate([score, score])
    order = np.lexsort((-score, both[:, 1], both[:, 0]))
    both, score = both[order], score[order]
    fresh = np.ones(len(both), bool)
    fresh[1:] = (both[1:] != both[:-1]).any(axis=1)
    return Edges(source=both[fresh, 0], target=both[fresh, 1], score=score[fresh])


def _agreeing(
    planes: ViewingPlanes, edges: Edges, found: Proposals, config: SupportConfig, *, one_way: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the matches [M, 2] whose segments lie where the other one is seen, and scores [M].

    A segment of which nothing is known agrees by being seen, if ``one_way``.
    """
    known = np.isfinite(found.ends[:, 0, 0])
    scores = np.zeros(len(edges.source))
    use = np.flatnonzero(known[edges.source])
    for part in np.split(use, np.arange(COMBINATIONS, len(use), COMBINATIONS)):
        ends = found.ends[edges.source[part]]
        scores[part] = support(planes, ends, edges.target[part], config)
    order = np.lexsort((edges.source, edges.target))  # the same edges, the other way round
    back = np.where(known[edges.target], scores[order], float(one_way))
    both = np.where(known[edges.source], scores, float(one_way)) * back
    agree = (both > 0) & (edges.source < edges.target)
    agree &= known[edges.source] | known[edges.target]
    return np.stack([edges.source, edges.target], axis=1)[agree], both[agree]


def _line_map(planes: ViewingPlanes, fit: TrackFit, config: LineMapConfig) -> LineMap:
    """Return the lines that enough photographs see well enough, the best seen first."""
    ends, owner, num = fit.ends(), fit.owner, len(fit.extents)
    view = planes.view[fit.segments]
    seen = np.unique(np.stack([owner, view], axis=1), axis=0)[:, 0]
    num_views = np.bincount(seen, minlength=num)
    uncertainties = fit.lines.uncertainties(fit.extents).max(axis=1, initial=0)
    away = np.full(num, np.inf)
    middles = ends.mean(axis=1)
    np.minimum.at(away, owner, np.linalg.norm(planes.centre[fit.segments] - middles[owner], axis=1))
    good = (num_views >= config.min_views) & (uncertainties <= config.max_uncertainty * away)
    good &= fit.extents[:, 1] > fit.extents[:, 0]
    order = np.flatnonzero(good)[np.argsort(-num_views[good], kind="stable")]
    place = np.full(num, -1, np.int64)
    place[order] = np.arange(len(order))
    rows = np.stack([place[owner], view, fit.segments - planes.starts[view]], axis=1)
    rows = rows[rows[:, 0] >= 0]
    return LineMap(
        segments=ends[order],
        errors=fit.errors(planes)[order],
        uncertainties=uncertainties[order],
        observations=rows[np.lexsort(rows.T[::-1])],
    )
