import numpy as np
import pytest

from gluestick.visualization.canvas import BACKGROUND, Canvas


def white(width, height):
    return np.full((height, width, 3), 255, dtype=np.uint8)


def test_images_lie_side_by_side_and_keep_their_aspect():
    canvas = Canvas([white(80, 60), white(400, 300)], width=1000)
    left, right = canvas.placements
    assert (left.width, left.height) == (right.width, right.height)
    assert left.width / left.height == pytest.approx(4 / 3, abs=0.01)
    assert left.left + left.width < right.left
    assert canvas.picture.shape[1] == 1000


def test_wide_images_lie_one_below_the_other():
    upper, lower = Canvas([white(800, 100), white(900, 100)], width=600).placements
    assert upper.top + upper.height <= lower.top
    assert upper.width == lower.width == 600


@pytest.mark.parametrize(
    "sizes", [[(1, 1), (1, 1)], [(70_000, 1), (1, 70_000)], [(1, 900), (640, 480)], [(33_000, 2)]]
)
def test_extreme_sizes_fit(sizes):
    canvas = Canvas([white(*size) for size in sizes], width=400)
    assert canvas.picture.shape[1] == 400
    for place in canvas.placements:
        assert canvas.part(place).shape == (place.height, place.width, 3)
        assert place.left >= 0


def test_pixel_centres_are_placed_exactly():
    canvas = Canvas([white(80, 60), white(80, 60)], width=810)
    place = canvas.placements[1]
    scale = np.array([place.width / 80, place.height / 60])
    found = place.to_canvas(np.array([[0, 0], [79, 59]]))
    expected = np.array([[place.left, place.top]]) + np.array([[0.5, 0.5], [79.5, 59.5]]) * scale
    np.testing.assert_allclose(found, expected - 0.5)


def test_drawing_in_a_part_is_clipped():
    canvas = Canvas([white(80, 60), white(80, 60)], width=800)
    before = canvas.picture.copy()
    place = canvas.placements[0]
    part = canvas.part(place)
    canvas.line(part, np.array([-1e12, 5.0]), np.array([1e12, 5.0]), (255, 0, 0), width=3)
    changed = (canvas.picture != before).any(axis=(0, 2))
    assert changed[: place.width].all()
    assert not changed[place.width :].any()


def test_layer_is_transparent():
    canvas = Canvas([white(80, 60)], width=400)
    before = canvas.picture[20, 20].astype(int)
    with canvas.layer(0.25):
        canvas.dot(canvas.picture, np.array([20.0, 20.0]), (255, 0, 0), radius=20)
    expected = 0.75 * before + 0.25 * np.array([255, 0, 0])
    np.testing.assert_allclose(canvas.picture[20, 20], expected, atol=1)


def test_dashes_leave_gaps():
    canvas = Canvas([white(80, 60)], width=1200)
    canvas.picture[:] = 0
    ends = np.array([[100.0, 50.0], [900.0, 50.0]])
    canvas.dashes(canvas.picture, *ends, (255, 255, 255), width=1)
    share = (canvas.picture[50, 100:900, 0] > 127).mean()
    assert 0.35 < share < 0.75


def test_legend_is_appended():
    canvas = Canvas([white(80, 60)], width=1200)
    height = canvas.picture.shape[0]
    centers = []
    canvas.add_legend("12 things", [(lambda _canvas, _on, center: centers.append(center), "thing")])
    strip = canvas.picture[height:]
    assert strip.shape[1] == 1200
    written = np.flatnonzero((strip != BACKGROUND).any(axis=(0, 2)))
    assert 0 < written[0] < centers[0][0] < written[-1] < 1200


def test_narrow_pictures_are_rejected():
    with pytest.raises(ValueError, match="at least 200 px, found 199"):
        Canvas([white(80, 60)], width=199)
