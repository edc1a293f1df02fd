import numpy as np
import pytest

from gluestick.visualization.layout import Link, arrange_photographs


def shift(x: float, y: float = 0.0) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def test_links_are_chained_to_the_photograph_in_the_middle():
    links = {(1, 0): Link(shift(10), 50), (1, 2): Link(shift(-20), 40)}
    layout = arrange_photographs(3, links)
    assert layout.reference == 1
    expected = [shift(-10), np.eye(3), shift(20)]
    for found, H in zip(layout.H_to_reference, expected, strict=True):
        np.testing.assert_allclose(found, H)


def test_the_surest_links_are_taken():
    links = {
        (0, 1): Link(shift(1), 100),
        (1, 2): Link(shift(1), 100),
        (0, 2): Link(shift(77), 5),
        (2, 1): Link(shift(-99), 1),
    }
    layout = arrange_photographs(3, links)
    assert layout.reference == 1
    np.testing.assert_allclose(layout.H_to_reference[0], shift(1))
    np.testing.assert_allclose(layout.H_to_reference[2], shift(-1))


def test_photographs_without_links_are_left_out():
    layout = arrange_photographs(4, {(3, 1): Link(shift(5), 9)})
    assert [H is None for H in layout.H_to_reference] == [True, False, True, False]
    alone = arrange_photographs(1, {})
    assert alone.reference == 0


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({(0, 2): Link(shift(1), 1)}, "2 photographs, found 0 and 2"),
        ({(1, 1): Link(shift(1), 1)}, "found 1 and 1"),
        ({(0, 1): Link(np.zeros((3, 3)), 1)}, "inverse"),
        ({(0, 1): Link(shift(1), 0)}, "weights above 0"),
    ],
)
def test_bad_links_are_errors(links, message):
    with pytest.raises(ValueError, match=message):
        arrange_photographs(2, links)
