from pathlib import Path

import pytest

from gluestick.config import MatchConfig, load_config, load_match_config
from gluestick.pretrained import MODELS, model_card


def test_defaults_are_those_of_the_default_model() -> None:
    config = load_match_config(None)
    assert config.pipeline == MODELS["aliked-lsd"].config
    assert config.max_error is None


def test_defaults_follow_the_named_model() -> None:
    config = load_match_config(None, ["model=superpoint-lsd-gluestick"])
    assert config.pipeline == MODELS["superpoint-lsd-gluestick"].config


def test_whose_card_is_found_gives_the_defaults() -> None:
    asked = []

    def find_card(name: str) -> object:
        asked.append(name)
        return model_card("disk-lsd")

    config = load_match_config(None, ["model=own", "max_error=2"], find_card=find_card)
    assert asked == ["own"]
    assert (config.model, config.max_error) == ("own", 2.0)
    assert config.pipeline == MODELS["disk-lsd"].config
    with pytest.raises(ValueError, match="no model 'own'"):
        load_match_config(None, ["model=own"])


def test_overrides_come_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "match.yaml"
    path.write_text("max_error: 2\npipeline: {features: {points: {max_num_keypoints: 100}}}\n")
    config = load_match_config(path, ["pipeline.features.points.max_num_keypoints=50"])
    assert config.max_error == 2.0
    assert config.pipeline.features.points.max_num_keypoints == 50


def test_none_and_tuples_survive() -> None:
    config = load_match_config(
        None, ["pipeline.features.resize.size=null", "pipeline.lightgluestick.line_layers=[0, 3]"]
    )
    assert config.pipeline.features.resize.size is None
    assert config.pipeline.lightgluestick.line_layers == (0, 3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=unknown"], "no model 'unknown'"),
        (["max_eror=3"], "max_eror"),
        (["max_error=far"], "far"),
        (["geometry=affine"], "affine"),
        (["max_error"], "key=value"),
        (["pipeline.lightgluestick.attention=both"], "both"),
    ],
)
def test_what_does_not_fit_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_match_config(None, overrides)


@pytest.mark.parametrize("content", ["a: [", "- 1\n- 2\n", "max_error: {a: 1}\n"])
def test_broken_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match="broken"):
        load_match_config(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.yaml"):
        load_config("nowhere.yaml", defaults=MatchConfig())
