import numpy as np

from gluestick.visualization.canvas import Canvas
from gluestick.visualization.lines import draw_faint_lines, draw_lines


def black_canvas():
    canvas = Canvas([np.zeros((60, 80), np.uint8)] * 2, width=1200)
    canvas.picture[:] = 0
    return canvas


def test_solid_and_dashed_lines_have_their_colours_and_endpoints():
    canvas = black_canvas()
    place = canvas.placements[0]
    lines = np.array([[[10.0, 10], [70, 10]], [[10, 40], [70, 40]]])
    colors = np.array([[255, 0, 0], [0, 255, 0]])
    draw_lines(canvas, place, lines, colors, dashed=np.array([False, True]))
    middle = place.to_canvas(lines).round().astype(int)
    solid = canvas.picture[middle[0, 0, 1], middle[0, 0, 0] + 10 : middle[0, 1, 0] - 10]
    assert (solid == colors[0]).all()
    dashed = canvas.picture[middle[1, 0, 1], middle[1, 0, 0] + 10 : middle[1, 1, 0] - 10, 1]
    assert 0.3 < (dashed > 127).mean() < 0.8
    for end in middle[0]:
        around = canvas.picture[end[1] - 3 : end[1] + 4, end[0] - 3 : end[0] + 4]
        assert (around.min(axis=2) > 200).any()  # the white ring
    assert not canvas.part(canvas.placements[1]).any()


def test_faint_lines():
    canvas = black_canvas()
    draw_faint_lines(canvas, canvas.placements[0], np.zeros((0, 2, 2)))
    assert not canvas.picture.any()
    draw_faint_lines(canvas, canvas.placements[0], np.array([[[10.0, 10], [70, 10]]]))
    assert canvas.picture.any()
