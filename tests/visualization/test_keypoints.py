import numpy as np

from gluestick.visualization.canvas import Canvas
from gluestick.visualization.keypoints import (
    draw_faint_keypoints,
    draw_keypoints,
    draw_small_keypoints,
)


def black_canvas():
    canvas = Canvas([np.zeros((60, 80), np.uint8)] * 2, width=1200)
    canvas.picture[:] = 0
    return canvas


def test_dots_and_crosses_have_their_colours_and_places():
    canvas = black_canvas()
    place = canvas.placements[1]
    points, colors = np.array([[20.0, 20], [60, 40]]), np.array([[255, 0, 0], [0, 255, 0]])
    draw_keypoints(canvas, place, points, colors, crosses=np.array([False, True]))
    for point, color in zip(place.to_canvas(points).round().astype(int), colors, strict=True):
        np.testing.assert_allclose(canvas.picture[point[1], point[0]], color, atol=60)
    dot, cross = [(canvas.picture[..., channel] > 127).sum() for channel in (0, 1)]
    assert dot > 1.5 * cross > 0
    assert not canvas.part(canvas.placements[0]).any()


def test_single_image_and_faint_keypoints():
    for draw in (draw_small_keypoints, draw_faint_keypoints):
        canvas = black_canvas()
        draw(canvas, canvas.placements[0], np.zeros((0, 2)))
        assert not canvas.picture.any()
        draw(canvas, canvas.placements[0], np.array([[20.0, 20.0]]))
        assert canvas.picture.any()
