import pytest

from gluestick.pipeline import build_network
from gluestick.pretrained import (
    DEFAULT_MODEL,
    MODELS,
    PipelineConfig,
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
    assert sum(parameter.numel() for parameter in network.parameters()) > 10_000_000


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
