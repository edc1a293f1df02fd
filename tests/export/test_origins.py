from pathlib import Path

import numpy as np
import pytest

from gluestick.export import FeaturesWriter
from gluestick.export.origins import differences, feature_settings, matching_settings
from gluestick.pipeline import PointLineMatcher

IMAGE = {"image_size": np.array([9, 9]), "keypoints": np.zeros((2, 2), np.float32)}


@pytest.mark.parametrize(
    ("found", "needed", "words"),
    [
        ({"a": 1}, {"a": 1.0}, ""),
        ({"a": 1, "b": 2}, {"a": 3, "b": 2}, "a was 1 and is now 3"),
        ({"a": 1, "matching": "x"}, {"a": 3, "matching": "y"}, "a was 1 and is now 3"),
        ({"a": 1, "matching": "x"}, {"a": 1, "matching": "y"}, "matching was 'x' and is now 'y'"),
        ({"a": 1, "a.b": 2}, {"a": 3}, "a was 1 and is now 3"),
        ({}, {"a": 3}, "a was None and is now 3"),
    ],
)
def test_differences_in_words(found: dict, needed: dict, words: str) -> None:
    assert differences(found, needed) == words


def test_many_differences_are_counted() -> None:
    words = differences(dict.fromkeys("abcdef", 1), dict.fromkeys("abcdef", 2))
    assert words.startswith("a was 1 and is now 2; b was")
    assert words.endswith("and 2 more")


def test_settings_name_what_decides(small_matcher: PointLineMatcher) -> None:
    settings = feature_settings(small_matcher, model="small")
    assert settings["model"] == "small"
    assert settings["points.max_num_keypoints"] == 128
    assert settings["lines.max_num_lines"] == 40
    assert {"point_detector", "rotation", "wireframe.junction_radius"} <= settings.keys()
    assert settings == feature_settings(small_matcher, model="small")
    assert matching_settings(small_matcher, model="small") == matching_settings(
        small_matcher, model="small"
    )


@pytest.mark.parametrize("origin", [None, {}, {"settings": 3}])
def test_what_does_not_name_settings_says_nothing(tmp_path: Path, origin: dict | None) -> None:
    with FeaturesWriter(tmp_path / "features.h5") as stored:
        stored.add("a", IMAGE, origin=origin)
        assert stored.origin("a") == {}
        assert stored.origin("b") == {}
        stored.add("a", IMAGE, origin={"settings": {"a": 1}, "turn": 90.0})
        assert stored.origin("a") == {"settings": {"a": 1}, "turn": 90.0}
        assert stored.names() == ["a"]
        np.testing.assert_array_equal(stored.read("a")["keypoints"], IMAGE["keypoints"])
