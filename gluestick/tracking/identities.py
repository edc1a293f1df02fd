"""Which points, or which lines, of the frames of a video are the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gluestick.tracking.tracks import Tracks


@dataclass(frozen=True, kw_only=True)
class Links:
    """Matches from an earlier frame to the present one.

    Attributes:
        matches0: [N0] int64, for each feature of the earlier frame that of the present one, or -1.
        scores0: [N0], the probabilities of the matches.
    """

    matches0: np.ndarray
    scores0: np.ndarray


@dataclass(kw_only=True)
class Sights:
    """What of one kind a frame shows.

    Attributes:
        frame: The number of the frame.
        places: [N, 4] float32 px, as in :class:`gluestick.tracking.tracks.Tracks`.
        identities: [N] int64.
        since: [N] int64, the frame in which each identity was first seen.
        scores: [N] float32, of the matches that brought them here; NaN for new ones.
        continued: [N] bool, whether a later frame shows them.
        last_seen: [N] int64, the last frame that shows them; kept for keyframes.
    """

    frame: int
    places: np.ndarray
    identities: np.ndarray
    since: np.ndarray
    scores: np.ndarray
    continued: np.ndarray
    last_seen: np.ndarray


@dataclass(kw_only=True)
class IdentityTable:
    """Gives the features of one kind their identities, frame by frame.

    A feature takes the identity of the one of the frame before that matches it, or a new one.
    Where a keyframe knows a feature by another identity, which was lost before the present one
    began, both are one.

    Attributes:
        kind: An index of :data:`gluestick.tracking.tracks.KINDS`.
        numbers: Gives new identities.
        previous: The last frame.
        keyframe: The last keyframe.
        settled: Earlier frames, without what was seen once.
        renamed: Earlier identities by those that they turned out to be.
    """

    kind: int
    numbers: Iterator[int]
    previous: Sights | None = None
    keyframe: Sights | None = None
    settled: list[Sights] = field(default_factory=list)
    renamed: dict[int, int] = field(default_factory=dict)

    def add(
        self,
        frame: int,
        places: np.ndarray,
        *,
        from_previous: Links | None,
        from_keyframe: Links | None,
    ) -> Sights:
        """Add a frame.

        Args:
            frame: Its number.
            places: [N, 4] float32, what it shows.
            from_previous: Matches from the frame before, if there is one.
            from_keyframe: Matches from the last keyframe, where they were looked for.

        Returns:
            What it shows, with identities.
        """
        count = len(places)
        sights = Sights(
            frame=frame,
            places=places.copy(),
            identities=np.full(count, -1, np.int64),
            since=np.full(count, frame, np.int64),
            scores=np.full(count, np.nan, np.float32),
            continued=np.zeros(count, bool),
            last_seen=np.full(count, frame, np.int64),
        )
        if self.previous is not None and from_previous is not None:
            before = np.flatnonzero(from_previous.matches0 > -1)
            now = from_previous.matches0[before]
            _continue(self.previous, before, sights, now, from_previous.scores0[before])
        new = np.flatnonzero(sights.identities < 0)
        sights.identities[new] = [next(self.numbers) for _ in new]
        if self.keyframe is not None:
            if from_keyframe is not None:
                self._bridge(self.keyframe, sights, from_keyframe)
            present = np.isin(self.keyframe.identities, sights.identities)
            self.keyframe.last_seen[present] = frame
        if self.previous is not None and self.previous is not self.keyframe:
            self.settled.append(_without_single(self.previous))
        self.previous = sights
        return sights

    def make_keyframe(self) -> None:
        """Make the last frame the keyframe."""
        if self.keyframe is not None and self.keyframe is not self.previous:
            self.settled.append(_without_single(self.keyframe))
        self.keyframe = self.previous

    def tracks(self, image_size: np.ndarray) -> Tracks:
        """Return what was seen in two frames at least."""
        open_frames = [self.keyframe] if self.keyframe is not self.previous else []
        kept = [
            *self.settled,
            *(_without_single(sights) for sights in (*open_frames, self.previous) if sights),
        ]
        identities = np.concatenate([sights.identities for sights in kept] or [np.zeros(0, int)])
        own = np.array([self.renamed.get(number, number) for number in identities.tolist()], int)
        frames = np.concatenate(
            [np.full(len(sights.places), sights.frame) for sights in kept] or [np.zeros(0, int)]
        )
        order = np.lexsort((frames, own))
        places = np.concatenate([sights.places for sights in kept] or [np.zeros((0, 4))])[order]
        scores = np.concatenate([sights.scores for sights in kept] or [np.zeros(0)])[order]
        for row in np.flatnonzero(np.isnan(scores))[::-1]:  # a beginning, which another row follows
            scores[row] = scores[row + 1]
        return Tracks(
            frames=frames[order].astype(np.int64),
            identities=own[order].astype(np.int64),
            kinds=np.full(len(own), self.kind, np.int64),
            coordinates=_first_ends_first(places, own[order]).astype(np.float32),
            scores=scores.astype(np.float32),
            image_size=image_size,
        )

    def _bridge(self, keyframe: Sights, sights: Sights, links: Links) -> None:
        """Give those that had been lost since the keyframe their identity back."""
        before = np.flatnonzero(links.matches0 > -1)
        now = links.matches0[before]
        lost = ~np.isin(keyframe.identities[before], sights.identities)
        apart = sights.since[now] > keyframe.last_seen[before]
        before, now = before[lost & apart], now[lost & apart]
        for later, earlier in zip(
            sights.identities[now].tolist(), keyframe.identities[before].tolist(), strict=True
        ):
            self.renamed[later] = earlier
        scores = np.where(np.isnan(sights.scores[now]), links.scores0[before], sights.scores[now])
        _continue(keyframe, before, sights, now, scores)


def _continue(
    earlier: Sights, before: np.ndarray, sights: Sights, now: np.ndarray, scores: np.ndarray
) -> None:
    """Let features of a frame be the same as those of an earlier one."""
    earlier.continued[before] = True
    sights.identities[now] = earlier.identities[before]
    sights.since[now] = earlier.since[before]
    sights.scores[now] = scores
    directions = [
        places[:, 2:] - places[:, :2] for places in (earlier.places[before], sights.places[now])
    ]
    reverse = now[(directions[0] * directions[1]).sum(axis=1) < 0]
    sights.places[reverse] = sights.places[reverse][:, [2, 3, 0, 1]]


def _first_ends_first(places: np.ndarray, identities: np.ndarray) -> np.ndarray:
    """Let the first end of each line stay the first, also where two tracks turned out to be one.

    Args:
        places: [S, 4] px.
        identities: [S], in ascending order.

    Returns:
        [S, 4] px.
    """
    directions = places[:, 2:] - places[:, :2]
    turns = (directions[1:] * directions[:-1]).sum(axis=1) < 0  # not where points have NaN
    turns &= identities[1:] == identities[:-1]
    reverse = np.zeros(len(places), bool)
    reverse[1:] = np.cumsum(turns) % 2
    beginnings = np.unique(identities, return_index=True)[1]
    reverse ^= reverse[beginnings].repeat(np.diff(beginnings, append=len(places)))
    return np.where(reverse[:, None], places[:, [2, 3, 0, 1]], places)


def _without_single(sights: Sights) -> Sights:
    """Return what earlier or later frames show as well."""
    kept = ~np.isnan(sights.scores) | sights.continued
    return Sights(
        frame=sights.frame,
        **{
            name: getattr(sights, name)[kept]
            for name in ("places", "identities", "since", "scores", "continued", "last_seen")
        },
    )
