from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gluestick.pretrained import (
    DEFAULT_MODEL,
    MODELS,
    PipelineConfig,
    build_model,
    build_network,
    model_card,
    with_budgets,
    with_detector_weights,
)


def test_the_default_is_shipped() -> None:
    assert model_card(DEFAULT_MODEL).shipped


def test_every_model_states_licence_and_origin() -> None:
    for name, card in MODELS.items():
        assert card.name == name
        assert card.summary
        assert card.licence
        assert card.origin


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_built(name: str) -> None:
    config = model_card(name).config
    network = build_network(config)
    assert sum(parameter.numel() for parameter in network.parameters()) > 1_000_000


@pytest.mark.parametrize("name", [name for name, card in MODELS.items() if card.shipped])
def test_line_heads_that_ship_are_made_for_early_exit(name: str) -> None:
    config = model_card(name).config.lightgluestick
    assert config.similarity_scales is not None
    assert config.similarity_shifts is not None


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match="aliked-lsd"):
        model_card("unknown")


def test_budgets_and_weights_are_replaced() -> None:
    config = with_budgets(PipelineConfig(), max_num_keypoints=7, max_num_lines=None)
    assert config.features.points.max_num_keypoints == 7
    assert config.features.lines == PipelineConfig().features.lines
    config = with_detector_weights(config, "weights.pth")
    assert config.features.points.weights == "weights.pth"
    assert config.features.points.max_num_keypoints == 7


def test_the_parts_of_a_model_come_with_the_configuration_they_were_built_from() -> None:
    model = build_model(max_num_keypoints=7, max_num_lines=5)
    expected = with_budgets(model_card(DEFAULT_MODEL).config, max_num_keypoints=7, max_num_lines=5)
    assert model.config == expected
    assert model.extractor is not None
    assert model.extractor.config == expected.features
    assert model.network.config == expected.lightgluestick


def test_a_file_may_hold_the_line_head_alone(tmp_path: Path) -> None:
    name = "aliked-lsd-guided"
    expected = build_model(name).network.state_dict()
    head = {key: value + 1 for key, value in expected.items() if key.startswith("line_head.")}
    save_file(head, tmp_path / "best.safetensors")
    found = build_model(name, weights=tmp_path / "best.safetensors").network.state_dict()
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert torch.equal(value, head.get(key, expected[key])), key


def test_a_file_may_hold_what_was_trained_alone(tmp_path: Path) -> None:
    name = "aliked-lsd-wireframe"
    expected = build_model(name).network.state_dict()
    part = {key: value + 1 for key, value in expected.items() if ".line_layer.Wqkv" in key}
    assert len(part) == 8
    save_file(part, tmp_path / "best.safetensors")
    found = build_model(name, weights=tmp_path / "best.safetensors").network.state_dict()
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert torch.equal(value, part.get(key, expected[key])), key


def test_the_points_of_the_wireframe_model_are_the_default_s() -> None:
    default = build_model().network.state_dict()
    found = build_model("aliked-lsd-wireframe").network.state_dict()
    changed = {
        key
        for key in default.keys() & found.keys()
        if not key.startswith("line_head.") and not torch.equal(default[key], found[key])
    }
    assert changed
    assert all(".final_proj_line." in key or ".endp_matchability." in key for key in changed)
    for layer in (5, 6, 7, 8):  # trained, and no longer the identity
        assert found[f"transformers.{layer}.line_layer.ffn.3.weight"].abs().max() > 1e-3


def test_the_head_of_another_model_is_refused() -> None:
    other = model_card(DEFAULT_MODEL).config
    with pytest.raises(ValueError, match="line_head"):
        build_model("aliked-lsd-guided", config=other)


def test_stopping_early_without_calibration_is_said(caplog):
    config = model_card(DEFAULT_MODEL).config
    changed = replace(config.lightgluestick.uncalibrated, depth_confidence=0.95)
    build_model(config=replace(config, lightgluestick=changed))
    assert "similarity_scales" in caplog.text
    caplog.clear()
    calibrated = replace(config.lightgluestick, depth_confidence=0.95)
    build_model(config=replace(config, lightgluestick=calibrated))
    assert not caplog.text
