import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gluestick.features.checkpoints import load_weights, read_weights


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "extractor"])
def test_reads_plain_and_wrapped_checkpoints(wrapper, tmp_path):
    state = {"weight": torch.rand(2, 3)}
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "a.pth")
    torch.testing.assert_close(read_weights(tmp_path / "a.pth"), state)


def test_reads_safetensors(tmp_path):
    state = {"weight": torch.rand(2, 3)}
    save_file(state, tmp_path / "a.safetensors")
    torch.testing.assert_close(read_weights(tmp_path / "a.safetensors"), state)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_and_missing_files_are_errors(name, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"cannot be read|not a PyTorch checkpoint"):
        read_weights(tmp_path / name)


def test_code_in_a_checkpoint_is_refused(tmp_path):
    torch.save({"weight": nn.Linear(2, 2)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="plain tensors"):
        read_weights(tmp_path / "a.pth")


def test_other_content_is_an_error(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="named tensors"):
        read_weights(tmp_path / "a.pth")


def test_loading_lists_what_does_not_fit():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = module.state_dict()
    del state["1.num_batches_tracked"]
    load_weights(module, state, source="file.pth")
    state["extra"] = torch.zeros(1)
    state["0.weight"] = torch.zeros(5, 2)
    del state["0.bias"]
    with pytest.raises(ValueError, match=r"1 missing \(0\.bias\)") as error:
        load_weights(module, state, source="file.pth")
    assert "1 unexpected (extra)" in str(error.value)
    assert "1 of another shape (0.weight)" in str(error.value)
    assert "file.pth" in str(error.value)
