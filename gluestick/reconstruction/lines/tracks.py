"""Which segments of the photographs are one line: unions that put no two lines into one."""

from collections import defaultdict

import numpy as np

from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes


class Tracks:
    """Disjoint sets of segments, at first each by itself.

    Args:
        planes: The segments.
        max_distance: Segments of one photograph are parts of one line if the ends of the shorter
            are within this distance of the longer's line, detection px.
    """

    def __init__(self, planes: ViewingPlanes, *, max_distance: float) -> None:
        self._planes, self._max_distance = planes, max_distance
        self.of = np.arange(len(planes))
        self._members: dict[int, list[int]] = {}

    def join(self, pairs: np.ndarray, scores: np.ndarray) -> int:
        """Join pairs of segments, the best first, unless a photograph would then see two lines.

        Args:
            pairs: [M, 2] segments.
            scores: [M].

        Returns:
            How many unions were made.
        """
        joined = 0
        for first, second in pairs[np.argsort(-scores, kind="stable")].tolist():
            one, other = int(self.of[first]), int(self.of[second])
            if one == other or not self._compatible(self.members(one), self.members(other)):
                continue
            if len(self.members(one)) < len(self.members(other)):
                one, other = other, one
            moved = self.members(other)
            self._members[one] = self.members(one) + moved
            self._members.pop(other, None)
            self.of[moved] = one
            joined += 1
        return joined

    def members(self, track: int) -> list[int]:
        """Return the segments of a track, which bears the number of one of them."""
        return self._members.get(track, [track])

    def remove(self, segments: np.ndarray) -> None:
        """Take segments out of their tracks; each is by itself again."""
        for track in np.unique(self.of[segments]).tolist():
            members = np.array(self.members(track))
            out = np.isin(members, segments)
            kept = members[~out]
            self._members.pop(track, None)
            self.of[members[out]] = members[out]
            if len(kept):
                self.of[kept] = kept[0]
                self._members[int(kept[0])] = kept.tolist()

    def observations(self, *, min_views: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the tracks that enough views see.

        Returns:
            [O] int64, which track from 0 on, ascending, and [O] int64, its segments, ascending
            within a track.
        """
        tracks = sorted(
            sorted(members)
            for members in self._members.values()
            if len({int(self._planes.view[segment]) for segment in members}) >= min_views
        )
        owner = np.repeat(np.arange(len(tracks)), [len(members) for members in tracks])
        segments = np.array([segment for members in tracks for segment in members], np.int64)
        return owner.astype(np.int64), segments

    def _compatible(self, one: list[int], other: list[int]) -> bool:
        by_view: dict[int, list[int]] = defaultdict(list)
        for segment in one:
            by_view[int(self._planes.view[segment])].append(segment)
        return all(
            self._collinear(mine, segment)
            for segment in other
            for mine in by_view.get(int(self._planes.view[segment]), ())
        )

    def _collinear(self, first: int, second: int) -> bool:
        planes = self._planes
        if planes.length[first] < planes.length[second]:
            first, second = second, first
        step = planes.ends[first, 1] - planes.ends[first, 0]
        across = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-12)
        distances = np.abs((planes.ends[second] - planes.ends[first, 0]) @ across)
        return bool((distances <= self._max_distance * planes.pixel[first]).all())
