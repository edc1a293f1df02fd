import pickle

import numpy as np
import pytest
import torch
from matching.wireframes import randomize
from safetensors.torch import save_file

from gluestick.matching import checkpoints
from gluestick.matching.checkpoints import (
    CheckpointError,
    lightgluestick_from_lightglue,
    load_strict,
    read_checkpoint,
    rename_published,
    save_checkpoint,
)
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick, LightGlueStickConfig

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


def test_early_layout_of_lightglue(lightgluestick):
    points = {
        key: value
        for key, value in lightgluestick.state_dict().items()
        if not any(part in key for part in LINE_PART)
    }
    published = {}
    for key, value in points.items():
        if key.startswith("transformers."):
            _, layer, block, rest = key.split(".", 3)
            key = f"{block}.{layer}.{rest}"
        published[key] = value
    assert_equal(rename_published(published), points)


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


def test_save_and_read(lightgluestick, tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    save_checkpoint(path, lightgluestick, metadata={"model": "small"})
    state_dict, metadata = read_checkpoint(path)
    assert_equal(state_dict, lightgluestick.state_dict())
    assert metadata == {"model": "small"}
    save_checkpoint(path, {"weight": torch.arange(6.0).view(2, 3).t()})
    assert read_checkpoint(path)[0]["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted(tmp_path, dtype):
    save_file({"a": torch.ones(3, dtype=dtype)}, tmp_path / "half.safetensors")
    state_dict, _ = read_checkpoint(tmp_path / "half.safetensors")
    assert state_dict["a"].dtype == torch.float32


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, {"weight": torch.zeros(2)})
    before = path.read_bytes()

    def no_space(self, data):
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", no_space)
    with pytest.raises(ValueError, match=r"model.safetensors cannot be written.*No space left"):
        save_checkpoint(path, {"weight": torch.ones(200)})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint file .*nothing.pth"):
        read_checkpoint(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="there is no checkpoint file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"some text that is long enough", b"\x89PNG\r\n" * 8])
def test_not_a_checkpoint(tmp_path, content):
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read_checkpoint(tmp_path / "file.pth")


class Pickled:
    """Something that a checkpoint should not contain."""

    def __reduce__(self):
        return eval, ("1 / 0",)


@pytest.mark.parametrize(
    "write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_pickled_objects_are_not_loaded(tmp_path, write):
    write({"model": Pickled()}, tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match="holds pickled objects"):
        read_checkpoint(tmp_path / "file.pth")


@pytest.mark.parametrize("name", ["file.safetensors", "file.pth"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_file(tmp_path, name, share):
    values = {f"weight{index}": torch.rand(100) for index in range(20)}
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(values, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [{}, {"model": {}}, {"model": 3}, [torch.zeros(2)], {"a": 1}])
def test_no_parameters(tmp_path, content):
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match="needs parameters by name"):
        read_checkpoint(tmp_path / "file.pth")


def test_strict_loading_lists_what_does_not_fit(gluestick):
    state_dict = gluestick.state_dict()
    del state_dict["bin_score"]
    state_dict["extra.weight"] = torch.zeros(2)
    state_dict["final_proj.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError) as error:
        load_strict(gluestick, state_dict, source="here.pth")
    message = str(error.value)
    assert "here.pth do not fit GlueStick" in message
    assert "1 missing: bin_score" in message
    assert "1 unexpected: extra.weight" in message
    assert "final_proj.bias [3] instead of [8]" in message


def test_counters_may_be_missing(gluestick):
    without = {k: v for k, v in gluestick.state_dict().items() if "num_batches" not in k}
    assert len(without) < len(gluestick.state_dict())
    network = GlueStick(GLUESTICK)
    load_strict(network, without, source="here")
    assert_equal(network.state_dict(), gluestick.state_dict())


def test_error_is_a_value_error():
    assert issubclass(checkpoints.CheckpointError, ValueError)
