from pathlib import Path

import numpy as np
import pytest
import torch
from moving_picture import moving_picture

from gluestick import PointLineMatcher
from gluestick.tracking import Tracker, TrackerConfig, Tracks
from gluestick.wireframe import stack_wireframes

LOST = 3
"""The frame of which nothing is seen."""


@pytest.fixture(scope="module")
def matcher() -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(
        "xfeat-lsd", view="none", max_num_keypoints=256, max_num_lines=60
    )


@pytest.fixture(scope="module")
def followed(matcher: PointLineMatcher, assets: Path) -> tuple[Tracks, list[np.ndarray]]:
    """Tracks of seven frames, one of which is blank, and how the picture moves."""
    frames, maps = moving_picture(assets, 7)
    frames[LOST] = torch.full_like(frames[LOST], 0.5)
    tracker = Tracker(matcher.match, TrackerConfig(keyframe_every=2))
    shown = [tracker.add(number, matcher.extract(frame)) for number, frame in enumerate(frames)]
    assert len(shown[0].points) == len(shown[LOST].points) == 0
    assert len(shown[1].points) > 50
    assert len(shown[1].lines) > 20
    return tracker.tracks(), maps


def distances(tracks: Tracks, maps: list[np.ndarray], kind: int) -> np.ndarray:
    """Return how far each sight of a point lies from where the first one has moved to, or how
    far both ends of a line lie from the line through it, px."""
    found = []
    for identity in np.unique(tracks.identities[tracks.kinds == kind]):
        rows = np.flatnonzero(tracks.identities == identity)
        places = tracks.coordinates[rows].reshape(len(rows), 2, 2)[:, : kind + 1]
        in_first = [
            (place - maps[frame][:, 2]) @ np.linalg.inv(maps[frame][:, :2]).T
            for place, frame in zip(places, tracks.frames[rows], strict=True)
        ]
        offsets = np.stack(in_first[1:]) - in_first[0][:1]
        if kind == 0:
            found.append(np.linalg.norm(offsets, axis=-1).max(axis=1))
        else:
            direction = np.diff(in_first[0], axis=0)[0]
            normal = np.array([-direction[1], direction[0]]) / np.linalg.norm(direction)
            found.append(np.abs(offsets @ normal).max(axis=1))
    return np.concatenate(found)


@pytest.mark.parametrize("kind", [0, 1])
def test_tracks_follow_what_moves(followed: tuple[Tracks, list[np.ndarray]], kind: int) -> None:
    errors = distances(*followed, kind)
    assert len(errors) > 80
    assert np.median(errors) < 1
    assert (errors < 3).mean() > 0.9


def test_identities_bridge_what_was_lost(followed: tuple[Tracks, list[np.ndarray]]) -> None:
    tracks, _ = followed
    assert not (tracks.frames == LOST).any()
    before, after = (
        {*tracks.identities[tracks.frames == frame].tolist()} for frame in (LOST - 1, LOST + 1)
    )
    assert len(before & after) > 40


def test_rows_are_ordered_and_named_once(followed: tuple[Tracks, list[np.ndarray]]) -> None:
    tracks, _ = followed
    assert tracks.image_size.tolist() == [320, 240]
    rows = np.stack([tracks.frames, tracks.identities], axis=1)
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert (np.diff(tracks.frames) >= 0).all()
    assert ((tracks.scores > 0) & (tracks.scores <= 1)).all()
    assert np.isnan(tracks.coordinates[tracks.kinds == 0, 2:]).all()
    assert np.isfinite(tracks.coordinates[tracks.kinds == 1]).all()
    assert min(tracks.lengths("point")) == 2
    kinds = [{*tracks.identities[tracks.kinds == kind].tolist()} for kind in (0, 1)]
    assert not kinds[0] & kinds[1]


def test_a_frame_is_a_batch_of_one(matcher: PointLineMatcher) -> None:
    wireframe = matcher.extract(torch.rand(3, 48, 64))
    with pytest.raises(ValueError, match="a frame is a batch of one, found 2"):
        Tracker(matcher.match).add(0, stack_wireframes([wireframe, wireframe]))


def test_options_out_of_range_are_errors() -> None:
    with pytest.raises(ValueError, match="keyframe_every needs to be at least 2, or 0"):
        TrackerConfig(keyframe_every=1)
    with pytest.raises(ValueError, match=r"min_score needs to be in \[0, 1\]"):
        TrackerConfig(min_score=2)
