from collections.abc import Callable

import pytest
from typer.testing import Result

from gluestick.cli.commands.settings import describe
from gluestick.config import MatchConfig, load_config, load_match_config
from gluestick.features.extractor import FeatureExtractorConfig

Listed = list[tuple[str, str]]


@pytest.fixture
def listed(invoke: Callable[..., Result]) -> Callable[..., dict[str, str]]:
    def run(*words: str) -> dict[str, str]:
        result = invoke("settings", *words)
        assert result.exit_code == 0, result.output
        lines = [line for line in result.stdout.splitlines() if "=" in line.split(" ")[0]]
        return dict(line.split("=", 1) for line in lines)

    return run


def test_what_is_listed_can_be_given(listed: Callable[..., dict[str, str]]) -> None:
    overrides = [f"{key}={value}" for key, value in listed().items()]
    assert len(overrides) > 50
    assert load_match_config(None, overrides) == load_match_config(None)
    features = [f"{key}={value}" for key, value in listed("detect").items()]
    assert load_config(None, features, defaults=FeatureExtractorConfig()) == (
        FeatureExtractorConfig()
    )


def test_values_are_those_of_model_and_preset(listed: Callable[..., dict[str, str]]) -> None:
    assert listed()["pipeline.features.points.max_num_keypoints"] == "1024"
    quick = listed("--config", "quick")
    assert quick["pipeline.features.points.max_num_keypoints"] == "512"
    published = listed("--model", "superpoint-lsd-gluestick")
    assert published["pipeline.features.points.name"] == "superpoint"
    assert listed("pose")["opencv_max_error"] == "0.5"


def test_every_setting_has_a_meaning() -> None:
    for config in (load_match_config(None), FeatureExtractorConfig()):
        for key, _, meaning, _ in describe(config):
            assert len(meaning) > 10, key
            assert "`" not in meaning, key


def test_choices_are_named() -> None:
    found = {key: choices for key, _, _, choices in describe(MatchConfig())}
    assert found["geometry"] == ("auto", "homography", "fundamental", "none")
    assert found["max_error"] == ()
    assert "aliked" in found["pipeline.features.points.name"]


def test_errors(refused: Callable[..., str]) -> None:
    assert "settings of match, detect, " in refused("settings", "cook")
    assert "--model" in refused("settings", "detect", "--model", "aliked-lsd")
