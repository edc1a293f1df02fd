import numpy as np
import pytest

from gluestick.viewpoint.turns.affine_turn import affine_turn, mutual_nearest


def turned(positions: np.ndarray, *, degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (positions @ np.array([[cosine, sine], [-sine, cosine]])).astype(np.float32)


def test_mutual_nearest_neighbours() -> None:
    descriptors0 = np.eye(4, dtype=np.float32)[:3]
    descriptors1 = np.eye(4, dtype=np.float32)[[2, 0, 3, 0]]
    matched0, matched1, similarity = mutual_nearest(descriptors0, descriptors1)
    assert list(zip(matched0, matched1, strict=True)) == [(0, 1), (2, 0)]
    np.testing.assert_array_equal(similarity, [[0, 1, 0, 1], [1, 0, 0, 0]])
    for one, other in ((descriptors0[:0], descriptors1), (descriptors0, descriptors1[:0])):
        nothing = mutual_nearest(one, other)
        assert [len(part) for part in nothing] == [0, 0, 0]


@pytest.mark.parametrize("degrees", [0.0, 50.0, -120.0, 179.0])
def test_the_map_of_most_matches_tells_the_turn(degrees: float) -> None:
    rng = np.random.default_rng(0)
    positions0 = rng.uniform(0, 100, size=(40, 2)).astype(np.float32)
    positions1 = turned(positions0, degrees=degrees) * 1.5 + 7
    positions1[25:] = rng.uniform(0, 100, size=(15, 2))
    turn, num_inliers = affine_turn(positions0, positions1, max_error=0.5)
    assert turn == pytest.approx(degrees, abs=0.1)
    assert 25 <= num_inliers < 30


def test_too_few_matches_tell_nothing() -> None:
    positions = np.random.default_rng(0).uniform(size=(5, 2)).astype(np.float32)
    assert affine_turn(positions[:3], positions[:3], max_error=0.1) == (0.0, 0)
    assert affine_turn(positions, positions, max_error=0.1)[1] == 5
    same = np.ones((5, 2), np.float32)
    assert affine_turn(same, same, max_error=0.1) == (0.0, 0)
