import pytest

from gluestick.supervision.rules import GroundTruthConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive_distance": 6.0}, "at most negative_distance"),
        ({"positive_distance": 0.0}, "must be positive"),
        ({"num_samples": 1}, "at least 2"),
        ({"line_distance": 0.0}, "line_distance must be positive"),
        ({"min_overlap": 1.5}, "min_overlap must be in"),
        ({"min_visibility": -0.1}, "min_visibility must be in"),
        ({"cycle_error": 0.0}, "cycle_error must be positive or None"),
        ({"depth_error": -0.08}, "depth_error must be positive or None"),
        ({"epipolar_distance": 0.0}, "epipolar_distance must be positive or None"),
    ],
)
def test_rejects_thresholds_without_meaning(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GroundTruthConfig(**options)
