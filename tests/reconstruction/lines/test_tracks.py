import numpy as np
import pytest
from line_scenes import arc_of_cameras, line_scene, segments_in_space

from gluestick.reconstruction.lines.tracks import Tracks
from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes


@pytest.fixture
def tracks() -> Tracks:
    """Of three views with two segments each: 0 and 1, 2 and 3, 4 and 5."""
    planes = ViewingPlanes(line_scene(segments_in_space(2), arc_of_cameras(3)).views)
    return Tracks(planes, max_distance=2.0)


def test_the_best_matches_decide_who_joins(tracks: Tracks) -> None:
    pairs = np.array([[0, 2], [1, 2], [2, 4]])
    assert tracks.join(pairs, np.array([0.7, 0.9, 0.8])) == 2
    assert sorted(tracks.members(int(tracks.of[1]))) == [1, 2, 4]
    assert tracks.members(int(tracks.of[0])) == [0]
    owner, segments = tracks.observations(min_views=3)
    assert owner.tolist() == [0, 0, 0]
    assert segments.tolist() == [1, 2, 4]


def test_what_is_removed_is_by_itself(tracks: Tracks) -> None:
    tracks.join(np.array([[0, 2], [2, 4], [1, 3]]), np.ones(3))
    tracks.remove(np.array([0, 3]))
    assert [tracks.members(int(tracks.of[each])) for each in (0, 3)] == [[0], [3]]
    assert tracks.observations(min_views=2)[1].tolist() == [2, 4]
    assert tracks.join(np.array([[0, 2]]), np.ones(1)) == 1
    assert tracks.observations(min_views=3)[1].tolist() == [0, 2, 4]


def test_nothing_is_joined_at_first(tracks: Tracks) -> None:
    assert tracks.join(np.zeros((0, 2), np.int64), np.zeros(0)) == 0
    owner, segments = tracks.observations(min_views=2)
    assert owner.shape == segments.shape == (0,)
