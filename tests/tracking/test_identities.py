from itertools import count

import numpy as np

from gluestick.tracking.identities import IdentityTable, Links


def points(*places: tuple[float, float]) -> np.ndarray:
    rows = np.full((len(places), 4), np.nan, np.float32)
    rows[:, :2] = np.array(places).reshape(-1, 2)
    return rows


def links(*matches0: int, score: float = 0.9) -> Links:
    return Links(
        matches0=np.array(matches0, int), scores0=np.full(len(matches0), score, np.float32)
    )


def table(kind: int = 0) -> IdentityTable:
    return IdentityTable(kind=kind, numbers=count())


SIZE = np.array([64, 48])


def test_a_match_passes_the_identity_on():
    rows = table()
    first = rows.add(0, points((1, 1), (5, 5)), from_previous=None, from_keyframe=None)
    assert first.identities.tolist() == [0, 1]
    second = rows.add(
        3, points((6, 5), (9, 9), (2, 1)), from_previous=links(2, -1), from_keyframe=None
    )
    assert second.identities.tolist() == [2, 3, 0]
    third = rows.add(
        4, points((7, 5), (3, 1)), from_previous=links(0, -1, 1, score=0.5), from_keyframe=None
    )
    assert third.identities.tolist() == [2, 0]
    found = rows.tracks(SIZE)
    assert found.identities.tolist() == [0, 0, 0, 2, 2]
    assert found.frames.tolist() == [0, 3, 4, 3, 4]
    np.testing.assert_allclose(found.scores, [0.9, 0.9, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(found.coordinates[:3, :2], [[1, 1], [2, 1], [3, 1]])


def test_what_was_lost_since_the_keyframe_is_found_again():
    rows = table()
    rows.add(0, points((1, 1), (5, 5)), from_previous=None, from_keyframe=None)
    rows.make_keyframe()
    rows.add(1, points((5, 6)), from_previous=links(-1, 0), from_keyframe=None)
    back = rows.add(2, points((1, 3), (5, 7)), from_previous=links(1), from_keyframe=None)
    assert back.identities.tolist() == [2, 1]
    seen = rows.add(
        3,
        points((1, 4), (5, 8)),
        from_previous=links(0, 1),
        from_keyframe=links(0, 1, score=0.7),
    )
    assert seen.identities.tolist() == [0, 1]
    rows.make_keyframe()
    found = rows.tracks(SIZE)
    assert found.identities.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.frames.tolist() == [0, 2, 3, 0, 1, 2, 3]
    np.testing.assert_allclose(found.scores, 0.9)


def test_two_tracks_of_one_frame_stay_two():
    rows = table()
    rows.add(0, points((1, 1), (5, 5)), from_previous=None, from_keyframe=None)
    rows.make_keyframe()
    rows.add(1, points((1, 2), (9, 9)), from_previous=links(0, -1), from_keyframe=None)
    seen = rows.add(
        2, points((9, 9), (1, 3)), from_previous=links(1, 0), from_keyframe=links(0, -1)
    )
    assert seen.identities.tolist() == [2, 0]
    assert not rows.renamed


def test_lines_keep_their_first_end():
    rows = table(kind=1)
    rows.add(0, np.float32([[0, 0, 10, 1]]), from_previous=None, from_keyframe=None)
    seen = rows.add(1, np.float32([[11, 1, 1, 0]]), from_previous=links(0), from_keyframe=None)
    assert seen.places.tolist() == [[1, 0, 11, 1]]
    assert rows.tracks(SIZE).kinds.tolist() == [1, 1]


def test_a_line_that_is_found_again_keeps_its_first_end_in_between():
    rows = table(kind=1)
    rows.add(0, np.float32([[0, 0, 10, 0]]), from_previous=None, from_keyframe=None)
    rows.make_keyframe()
    rows.add(1, np.float32([[11, 0, 1, 0]]), from_previous=links(-1), from_keyframe=None)
    rows.add(2, np.float32([[12, 0, 2, 0]]), from_previous=links(0), from_keyframe=links(0))
    found = rows.tracks(SIZE)
    assert found.identities.tolist() == [0, 0, 0]
    assert found.coordinates[:, 0].tolist() == [0, 1, 2]


def test_what_is_seen_once_is_forgotten():
    rows = table()
    nothing = np.zeros((0, 4), np.float32)
    assert len(rows.tracks(SIZE).frames) == 0
    rows.add(0, points((1, 1)), from_previous=None, from_keyframe=None)
    rows.add(1, nothing, from_previous=links(-1), from_keyframe=None)
    rows.add(2, points((1, 1)), from_previous=links(), from_keyframe=None)
    assert len(rows.tracks(SIZE).frames) == 0
    assert sum(len(sights.places) for sights in rows.settled) == 0
