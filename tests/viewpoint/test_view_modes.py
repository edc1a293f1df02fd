from dataclasses import replace

import pytest

from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import PipelineConfig
from gluestick.storage.dataclass_json import from_json, to_json
from gluestick.viewpoint.view_modes import (
    ROTATION_OF_VIEW,
    VIEW_OF_ROTATION,
    VIEWS,
    check_view,
    tries_every_turn,
    view_of_rotation,
    warps,
)


def test_every_view_means_something() -> None:
    assert set(ROTATION_OF_VIEW) == set(VIEWS)
    assert [view for view in VIEWS if warps(view)] == ["auto", "exhaustive"]
    assert [view for view in VIEWS if tries_every_turn(view)] == ["turns", "exhaustive"]


def test_names_for_turns_mean_turns_alone() -> None:
    for rotation, view in VIEW_OF_ROTATION.items():
        assert view_of_rotation(rotation) == view
        assert ROTATION_OF_VIEW[view] == rotation
        assert not warps(view)


def test_configurations_of_earlier_versions_keep_their_meaning() -> None:
    assert PipelineConfig().view == "auto"
    assert PipelineConfig(rotation="auto") == PipelineConfig(view="turn")
    stored = to_json(PipelineConfig(view="none"))
    assert from_json(PipelineConfig, stored).view == "none"
    earlier = from_json(PipelineConfig, '{"rotation": "exhaustive"}')
    assert earlier.view == "turns"
    assert replace(earlier, view="auto").view == "auto"


def test_a_matcher_has_both_names(small_matcher: PointLineMatcher) -> None:
    matcher = PointLineMatcher(
        extractor=None,
        wireframe=small_matcher.wireframe,
        network=small_matcher.network,
        rotation="exhaustive",
    )
    assert (matcher.view, matcher.rotation) == ("turns", "exhaustive")
    matcher.rotation = "none"
    assert matcher.view == "none"
    matcher.view = "auto"
    assert matcher.rotation == "auto"


def test_errors() -> None:
    with pytest.raises(ValueError, match="turns, auto, exhaustive, found 'always'"):
        check_view("always")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none, auto, exhaustive, found 'turn'"):
        view_of_rotation("turn")  # type: ignore[arg-type]
