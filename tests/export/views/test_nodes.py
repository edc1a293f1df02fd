import numpy as np
import pytest

from gluestick.export.views.nodes import add_view_nodes, node_matches


def features(keypoints: list[list[float]], **options: object) -> dict[str, np.ndarray]:
    count = len(keypoints)
    return {
        "keypoints": np.array(keypoints, np.float32).reshape(count, 2),
        "scores": np.arange(count, dtype=np.float32),
        "descriptors": np.arange(2 * count, dtype=np.float32).reshape(2, count),
        "num_junctions": np.array(1),
        **options,
    }


OWN = features([[50, 50], [10, 10], [20, 20]])
SEEN = features([[0, 0], [50, 50], [20.5, 21], [30, 30], [31, 30], [90, 90]])
NODES = np.array([1, 2, 3, 4])


def test_what_is_there_is_taken_for_the_same_and_the_rest_is_added() -> None:
    found, places = add_view_nodes(OWN, SEEN, NODES)
    # a junction is no keypoint, and the fifth lies within 1.5 px of the fourth
    assert places.tolist() == [3, 2, 4, 4]
    assert found["keypoints"].tolist() == [[50, 50], [10, 10], [20, 20], [50, 50], [30, 30]]
    assert found["scores"].tolist() == [0, 1, 2, 1, 3]
    assert found["descriptors"][1].tolist() == [3, 4, 5, 7, 9]
    assert found["num_view_keypoints"] == 2


def test_adding_the_same_again_changes_nothing() -> None:
    once, places = add_view_nodes(OWN, SEEN, NODES)
    twice, again = add_view_nodes(once, SEEN, NODES)
    assert places.tolist() == again.tolist()
    assert {key: array.tolist() for key, array in once.items()} == {
        key: array.tolist() for key, array in twice.items()
    }


@pytest.mark.parametrize(("scale", "place"), [(1.0, 3), (0.5, 2)])
def test_the_radius_counts_what_the_detector_saw(scale: float, place: int) -> None:
    own = OWN | {"resize_scale": np.array(scale)}
    _, places = add_view_nodes(own, features([[22, 20]]), np.array([0]))
    assert places.tolist() == [place]


def test_no_keypoints_and_no_nodes() -> None:
    found, places = add_view_nodes(features([[5, 5]]), SEEN, np.array([2]))
    assert (len(found["keypoints"]), places.tolist()) == (2, [1])
    found, places = add_view_nodes(OWN, SEEN, np.zeros(0, np.int64))
    assert (len(found["keypoints"]), len(places)) == (3, 0)


def test_each_node_is_in_the_best_match_only() -> None:
    nodes = np.array([0, 2, 2]), np.array([1, 1, 0])
    found = node_matches(nodes, np.array([0.5, 0.9, 0.7], np.float32), (3, 2))
    assert found["matches0"].tolist() == [-1, -1, 1]
    assert found["matches1"].tolist() == [-1, 2]
    np.testing.assert_allclose(found["matching_scores0"], [0, 0, 0.9])
    np.testing.assert_allclose(found["matching_scores1"], [0, 0.9])
