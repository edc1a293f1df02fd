import numpy as np

from gluestick.visualization.selection import spread_out


def test_one_usable_point_is_chosen_per_cell() -> None:
    points = np.array([[5.0, 5], [6, 6], [55, 5], [5, 55], [59.9, 59.9]])
    usable = np.array([False, True, True, True, True])
    chosen = spread_out(points, usable, (60, 60))
    assert sorted(chosen.tolist()) == [1, 2, 3, 4]


def test_nothing_usable_gives_nothing() -> None:
    assert len(spread_out(np.zeros((3, 2)), np.zeros(3, dtype=bool), (60, 60))) == 0
