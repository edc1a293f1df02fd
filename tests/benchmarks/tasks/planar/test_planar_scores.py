import math

import numpy as np
import pytest
from posed_scenes import prediction

from gluestick.benchmarks.tasks.planar.planar_scores import (
    line_figures,
    planar_line_scores,
    planar_point_errors,
    planar_point_scores,
)

SHIFT = np.array([[1.0, 0, 5], [0, 1, -2], [0, 0, 1]])
POINTS = np.array([[20.0, 30], [60, 40], [90, 80], [30, 90]])
OFFSET = np.array([5, -2])
LINES = np.array([[[20.0, 30], [60, 40]], [[30, 90], [90, 80]], [[100, 20], [110, 70]]])


def made(*, point_errors: tuple[float, ...] = (0, 0, 0, 0)) -> dict[str, np.ndarray]:
    """Return a prediction of points and lines moved by SHIFT, the points also by errors in x."""
    moved = POINTS + OFFSET + np.array([point_errors, (0, 0, 0, 0)]).T
    return prediction((POINTS, moved), (LINES, LINES + OFFSET))


def test_errors_are_those_of_the_reported_matches() -> None:
    given = made(point_errors=(0, 1, 4, 20))
    np.testing.assert_allclose(planar_point_errors(given, SHIFT), [0, 1, 4, 20], atol=1e-5)
    given["matches0"] = np.array([-1, 1, -1, 3])
    np.testing.assert_allclose(planar_point_errors(given, SHIFT), [1, 20], atol=1e-5)


def test_points_are_right_below_3_px_and_left_out_up_to_5() -> None:
    scores = planar_point_scores(made(point_errors=(0, 1, 4, 20)), SHIFT)
    assert scores["points/right"].tolist() == [True, True, False, False]
    assert scores["points/num_matches"] == 4
    assert scores["points/num_true"] == 2
    assert scores["points/correct"].tolist() == [True, True, False]  # 4 px is not judged


def test_lines_are_right_where_they_overlap() -> None:
    given = made()
    given["line_matches0"] = np.array([0, 2, -1])
    given["candidate_line_matches0"] = np.array([0, 2, -1])
    scores = planar_line_scores(given, SHIFT)
    assert scores["lines/right"].tolist() == [True, False]
    assert scores["lines/num_true"] == 3
    assert scores["lines/num_judged"] == 2
    assert scores["lines/num_overlapping"] == 1
    figures = line_figures([scores, scores])
    assert figures["lines/precision"] == figures["lines/overlap_precision"] == 0.5
    assert figures["lines/recall"] == pytest.approx(1 / 3)
    assert figures["lines/num_matches"] == 2


def test_nothing_found() -> None:
    nothing = prediction((np.zeros((0, 2)),) * 2, (np.zeros((0, 2, 2)),) * 2)
    scores = planar_point_scores(nothing, SHIFT) | planar_line_scores(nothing, SHIFT)
    assert scores["points/num_matches"] == scores["lines/num_matches"] == 0
    assert scores["points/right"].shape == scores["lines/right"].shape == (0,)
    assert math.isnan(line_figures([scores])["lines/precision"])
    assert all(map(math.isnan, line_figures([]).values()))
