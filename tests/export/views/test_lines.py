import numpy as np
import pytest

from gluestick.export.arrays import wireframe_from_arrays
from gluestick.export.views.lines import add_view_lines, line_matches, matched_lines


def features(lines: list[list[list[float]]], **options: object) -> dict[str, np.ndarray]:
    count = len(lines)
    segments = np.array(lines, np.float32).reshape(count, 2, 2)
    return {
        "image_size": np.array([200, 100]),
        "keypoints": segments.reshape(-1, 2),
        "scores": np.ones(2 * count, np.float32),
        "descriptors": np.arange(4 * count, dtype=np.float32).reshape(2, -1),
        "num_junctions": np.array(2 * count),
        "lines": segments,
        "line_scores": np.arange(count, dtype=np.float32),
        "line_junctions": np.arange(2 * count).reshape(count, 2),
        **options,
    }


OWN = features([[[0, 0], [100, 0]], [[0, 50], [20, 50]]])
SEEN = features(
    [
        [[10, 1], [60, 1]],  # lies on the first
        [[0, 51], [80, 51]],  # a quarter of it lies on the second
        [[90, 90], [150, 90]],
        [[149, 91], [95, 91]],  # lies on the one before, the other way round
        [[50, 0], [50, 60]],  # crosses
    ]
)
ALL = np.arange(5)


def test_a_line_on_one_that_is_there_is_taken_for_it_and_the_rest_is_added() -> None:
    found, places = add_view_lines(OWN, SEEN, ALL)
    assert places.tolist() == [0, 2, 3, 3, 4]
    assert found["num_view_lines"] == 3
    assert found["line_scores"].tolist() == [0, 1, 1, 2, 4]
    ends = found["keypoints"][found["line_junctions"]]
    np.testing.assert_array_equal(ends[2:], SEEN["lines"][[1, 2, 4]])
    assert found["num_view_keypoints"] == 6
    assert len(found["scores"]) == len(found["descriptors"].T) == len(found["keypoints"]) == 10


def test_adding_the_same_again_changes_nothing_and_a_wireframe_leaves_it_out() -> None:
    once, places = add_view_lines(OWN, SEEN, ALL)
    twice, again = add_view_lines(once, SEEN, ALL)
    assert places.tolist() == again.tolist()
    assert {key: array.tolist() for key, array in once.items()} == {
        key: array.tolist() for key, array in twice.items()
    }
    wireframe = wireframe_from_arrays(once)
    np.testing.assert_array_equal(wireframe.detected_lines[0], OWN["lines"])
    np.testing.assert_array_equal(wireframe.lines[0], OWN["lines"])


@pytest.mark.parametrize(("scale", "place"), [(1.0, 2), (0.5, 0)])
def test_the_distance_counts_what_the_detector_saw(scale: float, place: int) -> None:
    seen = features([[[0, 2], [50, 2]]])
    _, places = add_view_lines(OWN | {"resize_scale": np.array(scale)}, seen, np.array([0]))
    assert places.tolist() == [place]


def test_no_lines() -> None:
    none = features([])
    found, places = add_view_lines(OWN, SEEN, np.zeros(0, np.int64))
    assert (len(found["lines"]), len(places)) == (2, 0)
    found, places = add_view_lines(none, SEEN, np.array([2, 3]))
    assert (found["line_junctions"].tolist(), places.tolist()) == ([[0, 1]], [0, 0])


def test_matches_of_lines_that_became_one_keep_the_best() -> None:
    found = {
        "line_matches0": np.array([1, -1, 0]),
        "line_matches1": np.array([2, 0, -1]),
        "line_matching_scores0": np.array([0.9, 0, 0.7], np.float32),
        "line_pairs": np.array([[0, 1], [2, 0], [2, 1], [1, 2]]),
        "line_pair_probabilities": np.array([0.9, 0.7, 0.6, 0.4], np.float32),
        "line_pair_overlaps": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    }
    chosen = matched_lines(found)
    assert [lines.tolist() for lines in chosen] == [[0, 2], [0, 1]]
    places = np.array([5, 5]), np.array([3, 0])
    matches = line_matches(found, chosen, places, (6, 4))
    assert matches["line_matches0"].tolist() == [-1, -1, -1, -1, -1, 0]
    assert matches["line_matches1"].tolist() == [5, -1, -1, -1]
    assert matches["line_pairs"].tolist() == [[5, 0], [5, 3]]
    np.testing.assert_allclose(matches["line_pair_probabilities"], [0.9, 0.7])
    np.testing.assert_allclose(matches["line_pair_overlaps"], [0.1, 0.2])
    without = {key: found[key] for key in found if "pair" not in key}
    matches = line_matches(without, matched_lines(without), places, (6, 4))
    assert "line_pairs" not in matches
