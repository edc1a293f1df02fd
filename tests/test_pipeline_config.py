from dataclasses import replace
from pathlib import Path

import pytest
import torch
from matching.wireframes import randomize
from safetensors.torch import save_file

from gluestick.config import load_match_config
from gluestick.features.extractor import FeatureExtractorConfig
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import PipelineConfig, TrainedModel
from gluestick.pretrained import MODELS
from gluestick.storage.parameters import CheckpointError, save_checkpoint
from gluestick.wireframe.build import WireframeConfig

SMALL = PipelineConfig(
    wireframe=WireframeConfig(keypoint_radius=4.0),
    network="gluestick",
    gluestick=GlueStickConfig(
        input_dim=128, descriptor_dim=32, keypoint_encoder=(8, 16), num_layers=1
    ),
)

STARTED_FROM = "disk-lsd"


def write_small(path: Path) -> GlueStick:
    network = randomize(GlueStick(SMALL.gluestick))
    save_checkpoint(
        path, network, metadata=TrainedModel(config=SMALL, model=STARTED_FROM).metadata()
    )
    return network


@pytest.mark.parametrize("name", MODELS)
def test_configurations_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    trained = TrainedModel(config=MODELS[name].config, model=name, base=name)
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata=dict(trained.metadata()))
    assert TrainedModel.of_file(tmp_path / "x.safetensors") == trained


def test_other_files_say_nothing(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"12345678{broken")
    for name in ("x.safetensors", "x.pth", "damaged.safetensors", "missing.safetensors"):
        assert TrainedModel.of_file(tmp_path / name) is None


def test_a_configuration_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for text in ('{"novelty": 1}', "no json", '{"features": {"points": 3}}'):
        save_file({"x": torch.zeros(1)}, path, metadata={"pipeline": text})
        with pytest.raises(CheckpointError, match="does not fit this version"):
            TrainedModel.of_file(path)


def test_weights_bring_their_own_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    network = write_small(path)
    matcher = PointLineMatcher.from_pretrained(weights=path, max_num_keypoints=9)
    assert isinstance(matcher.network, GlueStick)
    assert matcher.network.config == SMALL.gluestick
    assert matcher.wireframe == SMALL.wireframe
    for name, value in network.state_dict().items():
        assert torch.equal(matcher.network.state_dict()[name], value)
    config = load_match_config(None, ["geometry=none"], weights=str(path))
    assert config.pipeline == SMALL
    assert config.weights == str(path)
    assert config.model == STARTED_FROM
    assert (
        load_match_config(None, ["model=aliked-n16rot-lsd"], weights=str(path)).model
        != config.model
    )
    config = load_match_config(None, [f"weights={path}", "pipeline.gluestick.num_layers=2"])
    assert config.pipeline.gluestick == replace(SMALL.gluestick, num_layers=2)


def test_parts_are_completed_by_the_model_they_were_trained_on(tmp_path: Path) -> None:
    base = MODELS["aliked-lsd"]
    whole = PointLineMatcher.from_pretrained(base.name).network
    assert isinstance(whole, LightGlueStick)
    part = {
        name: value + 0.5
        for name, value in whole.state_dict().items()
        if name.startswith("log_assignment.8.")
    }
    config = replace(base.config, features=FeatureExtractorConfig(side_colors=True))
    metadata = TrainedModel(config=config, base=base.name).metadata()
    save_checkpoint(tmp_path / "part.safetensors", part, metadata=metadata)
    found = PointLineMatcher.from_pretrained(weights=tmp_path / "part.safetensors").network
    for name, value in whole.state_dict().items():
        assert torch.equal(found.state_dict()[name], part.get(name, value)), name
