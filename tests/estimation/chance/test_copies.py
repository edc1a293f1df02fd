import numpy as np

from gluestick.estimation.chance.copies import (
    distinct,
    line_representatives,
    point_representatives,
    spread_to_copies,
)


def test_copies_are_close_in_every_image():
    points0 = np.array([[0.0, 0], [1, 0], [0, 0], [0, 0], [50, 50]])
    points1 = np.array([[9.0, 9], [9, 10], [9, 9], [30, 9], [9, 9]])
    found = point_representatives(points0, points1, radius=1.0)
    assert found.tolist() == [0, 0, 0, 3, 4]
    assert distinct(found).tolist() == [0, 3, 4]
    exact = point_representatives(points0, points1, radius=0.0)
    assert exact.tolist() == [0, 1, 0, 3, 4]


def test_a_chain_is_not_one_match():
    chain = np.arange(10)[:, None] * [1.0, 0.0]
    assert point_representatives(chain, chain, radius=1.0).tolist() == [
        0,
        0,
        2,
        2,
        4,
        4,
        6,
        6,
        8,
        8,
    ]


def test_many_copies_take_no_time():
    points = np.repeat([[1.0, 2.0], [3.0, 4.0]], 20_000, axis=0)
    assert distinct(point_representatives(points, points, radius=0.5)).tolist() == [0, 20_000]


def test_order_of_endpoints_does_not_matter():
    lines = np.random.default_rng(0).uniform(0, 100, (6, 2, 2))
    twice = np.concatenate([lines, lines[:, ::-1]])
    again = np.concatenate([lines, lines])
    assert line_representatives(twice, again, radius=1e-6).tolist() == [*range(6), *range(6)]
    world = np.random.default_rng(1).uniform(0, 9, (6, 2, 3))
    assert line_representatives(lines, world, radius=1e-6).tolist() == list(range(6))


def test_no_matches():
    empty = np.zeros((0, 2))
    assert point_representatives(empty, empty, radius=1.0).shape == (0,)
    assert line_representatives(np.zeros((0, 2, 2)), radius=1.0).shape == (0,)


def test_copies_of_an_inlier_have_to_agree_themselves():
    representatives = np.array([0, 0, 0, 3, 3, 5])
    inliers = spread_to_copies(
        np.array([True, False, True]),
        representatives,
        agreeing=np.array([True, True, False, True, True, False]),
    )
    assert inliers.tolist() == [True, True, False, False, False, True]
