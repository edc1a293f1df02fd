"""Points and lines followed from frame to frame by matching the frames."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np

from gluestick.tracking.identities import IdentityTable, Links, Sights
from gluestick.tracking.tracks import KINDS, Tracks, join_tracks
from gluestick.transfers import to_host
from gluestick.types import Matches, Wireframe

Match = Callable[[Wireframe, Wireframe], Matches]


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """How frames are connected.

    Attributes:
        keyframe_every: Every so many frames the frame is also matched with the last such one, so
            that what was lost in between is found again; 0 for never.
        min_score: Matches of a lower probability, in [0, 1], connect nothing.
    """

    keyframe_every: int = 5
    min_score: float = 0.5

    def __post_init__(self) -> None:
        if self.keyframe_every < 0 or self.keyframe_every == 1:
            raise ValueError(
                f"keyframe_every needs to be at least 2, or 0 for none, found {self.keyframe_every}"
            )
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score needs to be in [0, 1], found {self.min_score}")


@dataclass(frozen=True, kw_only=True)
class FrameTracks:
    """What a frame shows of tracks that began earlier.

    Attributes:
        number: The number of the frame.
        point_identities: [N] int64.
        points: [N, 2] px.
        line_identities: [L] int64.
        lines: [L, 2, 2] px.
    """

    number: int
    point_identities: np.ndarray
    points: np.ndarray
    line_identities: np.ndarray
    lines: np.ndarray


class Tracker:
    """Follows keypoints and lines through frames that are given one after the other.

    Each frame is matched with the one before, and every
    :attr:`TrackerConfig.keyframe_every` frames with an earlier one as well.

    Args:
        match: Matches two wireframes, such as :meth:`gluestick.pipeline.PointLineMatcher.match`.
        config: The options.
    """

    def __init__(self, match: Match, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._match = match
        numbers = count()
        self._tables = [IdentityTable(kind=kind, numbers=numbers) for kind in range(len(KINDS))]
        self._previous: Wireframe | None = None
        self._keyframe: Wireframe | None = None
        self._image_size = np.zeros(2, np.int64)
        self._num_frames = 0

    def add(self, number: int, wireframe: Wireframe) -> FrameTracks:
        """Add a frame.

        Args:
            number: Its number, larger than those before.
            wireframe: Its features, a batch of one.

        Returns:
            What it shows of earlier tracks.

        Raises:
            ValueError: If the wireframe is a batch of several, or descriptors do not fit.
        """
        if wireframe.batch_size != 1:
            raise ValueError(f"a frame is a batch of one, found {wireframe.batch_size}")
        every = self.config.keyframe_every
        is_keyframe = every > 0 and self._num_frames % every == 0
        from_previous = self._links(self._previous, wireframe)
        from_keyframe = self._links(self._keyframe if is_keyframe else None, wireframe)
        points, lines, size = to_host(
            wireframe.keypoints[0], wireframe.detected_lines[0].flatten(1), wireframe.image_size[0]
        )
        places = np.pad(points, ((0, 0), (0, 2)), constant_values=np.nan), lines
        sights = [
            table.add(number, place, from_previous=before, from_keyframe=key)
            for table, place, before, key in zip(
                self._tables, places, from_previous, from_keyframe, strict=True
            )
        ]
        if is_keyframe:
            for table in self._tables:
                table.make_keyframe()
            self._keyframe = wireframe
        self._previous, self._image_size = wireframe, size
        self._num_frames += 1
        return _known(number, *sights)

    def tracks(self) -> Tracks:
        """Return everything that was seen in two frames at least."""
        return join_tracks([table.tracks(self._image_size) for table in self._tables])

    def _links(self, earlier: Wireframe | None, wireframe: Wireframe) -> tuple[Links | None, ...]:
        """Match the present frame with an earlier one: points and lines."""
        if earlier is None:
            return None, None
        found = self._match(earlier, wireframe)
        points, point_scores, lines, line_scores = to_host(
            found.matches0[0],
            found.matching_scores0[0],
            found.line_matches0[0],
            found.line_matching_scores0[0],
        )
        return (self._sure(points, point_scores), self._sure(lines, line_scores))

    def _sure(self, matches0: np.ndarray, scores0: np.ndarray) -> Links:
        sure = scores0 >= self.config.min_score
        return Links(matches0=np.where(sure, matches0, -1), scores0=scores0)


def _known(number: int, points: Sights, lines: Sights) -> FrameTracks:
    seen = [~np.isnan(sights.scores) for sights in (points, lines)]
    return FrameTracks(
        number=number,
        point_identities=points.identities[seen[0]],
        points=points.places[seen[0], :2],
        line_identities=lines.identities[seen[1]],
        lines=lines.places[seen[1]].reshape(-1, 2, 2),
    )
