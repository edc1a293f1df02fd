import numpy as np
import pytest

from gluestick.reconstruction.pairs.neighbours import earth_centred, following_pairs, near_pairs

METRE = 1 / 111_195  # degrees of latitude


def test_each_is_paired_with_those_that_follow() -> None:
    assert following_pairs("abcd", overlap=2) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
        ("b", "d"),
        ("c", "d"),
    ]
    assert following_pairs(["a"], overlap=3) == []


def test_distances_on_the_earth_are_metres() -> None:
    places = earth_centred(np.array([[50, 4, 0], [50 + 30 * METRE, 4, 0], [50, 4, 40.0]]))
    assert np.linalg.norm(places[1] - places[0]) == pytest.approx(30, rel=2e-3)
    assert np.linalg.norm(places[2] - places[0]) == pytest.approx(40)
    assert earth_centred(np.array([[0, 90, 0.0]]))[0] == pytest.approx([0, 6378137, 0], abs=1e-6)


def test_near_ones_are_paired_once() -> None:
    positions = {
        name: (50 + metres * METRE, 4.0, 0.0)
        for name, metres in (("a", 0), ("b", 10), ("far", 900), ("c", 25))
    }
    assert near_pairs(positions, num_neighbours=5, max_distance=100) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert near_pairs(positions, num_neighbours=1, max_distance=1000) == [
        ("a", "b"),
        ("b", "c"),
        ("far", "c"),
    ] or ("far", "c") in near_pairs(positions, num_neighbours=1, max_distance=1000)
    assert near_pairs({"a": (0, 0, 0)}, num_neighbours=3, max_distance=100) == []
