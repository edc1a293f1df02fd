import numpy as np
import pytest
import torch
from matching.wireframes import randomize

from gluestick.matching.checkpoints import (
    lightgluestick_from_lightglue,
    read_checkpoint,
    rename_published,
)
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.storage.parameters import CheckpointError, load_strict

GLUESTICK = GlueStickConfig(input_dim=8, descriptor_dim=8, keypoint_encoder=(4,), num_layers=1)
LIGHTGLUESTICK = LightGlueStickConfig(input_dim=4, descriptor_dim=16, num_layers=3, num_heads=2)
LINE_PART = ("line_layer", "final_proj_line", "endp_matchability")


@pytest.fixture
def gluestick() -> GlueStick:
    return randomize(GlueStick(GLUESTICK))


@pytest.fixture
def lightgluestick() -> LightGlueStick:
    return randomize(LightGlueStick(LIGHTGLUESTICK))


def assert_equal(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(actual[key], value), key


@pytest.mark.parametrize("prefix", ["matcher.", "module.matcher.", "matcher.module."])
def test_training_checkpoint_of_gluestick(gluestick, tmp_path, prefix):
    published = {prefix + key: value for key, value in gluestick.state_dict().items()}
    published["extractor.conv.weight"] = torch.zeros(3)
    extras = {"conf": {"name": "gluestick"}, "epoch": 3, "eval": {"loss": np.float64(0.5)}}
    torch.save({"model": published, **extras}, tmp_path / "checkpoint.tar")
    state_dict, metadata = read_checkpoint(tmp_path / "checkpoint.tar")
    assert_equal(state_dict, gluestick.state_dict())
    assert metadata == {}
    load_strict(GlueStick(GLUESTICK), state_dict, source="checkpoint.tar")


@pytest.mark.parametrize("legacy", [False, True])
def test_bare_torch_file(gluestick, tmp_path, legacy):
    torch.save(
        gluestick.state_dict(), tmp_path / "bare.pth", _use_new_zipfile_serialization=not legacy
    )
    assert_equal(read_checkpoint(tmp_path / "bare.pth")[0], gluestick.state_dict())


@pytest.mark.parametrize("prefix", ["", "matcher."])
def test_published_lightgluestick(lightgluestick, prefix):
    own = lightgluestick.state_dict()
    extras = {
        "confidence_thresholds": torch.rand(3),
        "token_confidence.2.token.0.weight": torch.zeros(1, 16),
        "token_confidence.2.token.0.bias": torch.zeros(1),
    }
    published = {prefix + key: value for key, value in (own | extras).items()}
    assert_equal(rename_published(published), own)


def test_layout_that_numbers_blocks_by_kind(lightgluestick):
    published = {}
    for key, value in lightgluestick.state_dict().items():
        if key.startswith("transformers."):
            _, layer, block, rest = key.split(".", 3)
            key = f"{block}.{layer}.{rest}"
        published[key] = value
    assert_equal(rename_published(published), lightgluestick.state_dict())


def test_line_part_from_lightglue(lightgluestick):
    points = {
        key: value
        for key, value in lightgluestick.state_dict().items()
        if not any(part in key for part in LINE_PART)
    }
    started = lightgluestick_from_lightglue(points)
    config = LightGlueStickConfig(**{**vars(LIGHTGLUESTICK), "line_layers": ()})
    network = LightGlueStick(config)
    load_strict(network, started, source="the point part")
    head = network.log_assignment[1]
    assert torch.equal(head.final_proj_line.weight, head.final_proj.weight)
    assert torch.equal(head.final_proj_line.bias, head.final_proj.bias)
    logits = head.project_endpoints(torch.randn(1, 5, 16))[1]
    assert (torch.nn.functional.logsigmoid(logits).abs() < 1e-6).all()
    with pytest.raises(CheckpointError, match="have a line part"):
        lightgluestick_from_lightglue(started)
    with pytest.raises(CheckpointError, match="needs the parameters of LightGlue"):
        lightgluestick_from_lightglue({"weight": torch.zeros(2)})
