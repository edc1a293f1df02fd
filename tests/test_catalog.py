import pytest

from gluestick.catalog import load_matcher, matcher_card
from gluestick.cli.options import load_matcher as load_configured
from gluestick.config import load_match_config
from gluestick.peers import PEERS, PeerCard
from gluestick.pretrained import MODELS


def test_models_and_peers_are_loaded_by_one_function() -> None:
    assert load_matcher("aliked-lsd", max_num_keypoints=7).extractor.config.points == (
        load_matcher("aliked+mutual-nn", max_num_keypoints=7).extractor.config.points
    )


def test_cards_by_name() -> None:
    assert matcher_card("sift+ratio") is PEERS["sift+ratio"]
    assert matcher_card("aliked-lsd") is MODELS["aliked-lsd"]
    assert isinstance(matcher_card("vismatch:loftr"), PeerCard)


def test_unknown_names_list_models_and_peers() -> None:
    with pytest.raises(ValueError, match=r"no model 'unknown'.*aliked-lsd.*sift\+ratio"):
        load_matcher("unknown")


def test_the_command_line_takes_the_name_of_a_peer() -> None:
    overrides = [
        "pipeline.features.points.max_num_keypoints=9",
        "pipeline.rotation=auto",
        "pipeline.relative_turn.size=200",
        "pipeline.turn_search.size=100",
    ]
    config = load_match_config(None, ["model=sift+ratio", *overrides], find_card=matcher_card)
    matcher = load_configured(config)
    assert matcher.rotation == "auto"
    assert (matcher.relative_turn.size, matcher.turn_search.size) == (200, 100)
    assert matcher.extractor.config.points.name == "sift"
    assert matcher.extractor.config.points.max_num_keypoints == 9
    assert matcher.extractor.config.lines.name == "none"
    config = load_match_config(None, ["model=vismatch:loftr"], find_card=matcher_card)
    assert config.model == "vismatch:loftr"
