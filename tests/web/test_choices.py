from typing import Any

import pytest

from gluestick.config import load_match_config
from gluestick.web.choices import MODEL_NAMES, RANGES, Choices


def test_untouched_choices_are_the_defaults_of_match() -> None:
    assert Choices().settings() == load_match_config(None)


def test_choices_reach_the_configuration() -> None:
    settings = Choices(
        model="aliked-n16rot-lsd",
        max_num_keypoints=512,
        max_num_lines=100,
        resize=640,
        min_length=20,
        point_threshold=0.3,
        line_threshold=0.6,
        max_error=2.5,
        view="none",
        geometry="fundamental",
    ).settings()
    features, network = settings.pipeline.features, settings.pipeline.lightgluestick
    assert (features.points.variant, features.points.max_num_keypoints) == ("n16rot", 512)
    assert (features.lines.max_num_lines, features.lines.min_length) == (100, 20)
    assert (network.filter_threshold, network.line_filter_threshold) == (0.3, 0.6)
    assert (settings.pipeline.view, settings.geometry, settings.max_error) == (
        "none",
        "fundamental",
        2.5,
    )


def test_no_lines_are_looked_for_if_none_are_wanted() -> None:
    assert Choices(max_num_lines=0).settings().pipeline.features.lines.name == "none"


@pytest.mark.parametrize(
    "choice",
    [
        {"model": "disk-lsd"},
        {"model": "sift+ratio"},
        {"view": "some"},
        {"geometry": "affine"},
        {"max_num_keypoints": 10**9},
        {"resize": 20_000},
        {"max_error": float("nan")},
        {"point_threshold": -1},
    ],
)
def test_other_choices_are_refused(choice: dict[str, Any]) -> None:
    (name,) = choice
    with pytest.raises(ValueError, match=f"^{name} needs to be"):
        Choices(**choice).settings()


def test_every_default_can_be_set() -> None:
    for name, range_ in RANGES.items():
        assert range_.low <= getattr(Choices(), name) <= range_.high
    assert Choices().model == MODEL_NAMES[0]
