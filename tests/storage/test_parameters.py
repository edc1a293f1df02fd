import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gluestick.storage.parameters import (
    CheckpointError,
    load_strict,
    read_parameters,
    save_checkpoint,
)


def make_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@pytest.fixture
def network() -> nn.Sequential:
    return make_network()


def assert_equal(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(actual[key], value), key


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "extractor"])
def test_reads_plain_and_wrapped_checkpoints(wrapper, tmp_path):
    state = {"weight": torch.rand(2, 3)}
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "a.pth")
    assert_equal(read_parameters(tmp_path / "a.pth")[0], state)


def test_save_and_read(network, tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    save_checkpoint(path, network, metadata={"model": "small"})
    state_dict, metadata = read_parameters(path)
    assert_equal(state_dict, network.state_dict())
    assert metadata == {"model": "small"}
    save_checkpoint(path, {"weight": torch.arange(6.0).view(2, 3).t()})
    assert read_parameters(path)[0]["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted(tmp_path, dtype):
    save_file({"a": torch.ones(3, dtype=dtype)}, tmp_path / "half.safetensors")
    state_dict, _ = read_parameters(tmp_path / "half.safetensors")
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
        read_parameters(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="there is no checkpoint file"):
        read_parameters(tmp_path)


@pytest.mark.parametrize("content", [b"", b"some text that is long enough", b"\x89PNG\r\n" * 8])
def test_not_a_checkpoint(tmp_path, content):
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read_parameters(tmp_path / "file.pth")


class Pickled:
    """Something that a checkpoint should not contain."""

    def __reduce__(self):
        return eval, ("1 / 0",)


@pytest.mark.parametrize(
    "write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))]
)
def test_pickled_objects_are_not_loaded(tmp_path, write):
    write({"model": Pickled()}, tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match="holds pickled objects"):
        read_parameters(tmp_path / "file.pth")


@pytest.mark.parametrize("name", ["file.safetensors", "file.pth"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_file(tmp_path, name, share):
    values = {f"weight{index}": torch.rand(100) for index in range(20)}
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(values, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        read_parameters(path)


@pytest.mark.parametrize("content", [{}, {"model": {}}, {"model": 3}, [torch.zeros(2)], {"a": 1}])
def test_no_parameters(tmp_path, content):
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match="needs parameters by name"):
        read_parameters(tmp_path / "file.pth")


def test_strict_loading_lists_what_does_not_fit(network):
    state_dict = network.state_dict()
    del state_dict["0.bias"]
    state_dict["extra.weight"] = torch.zeros(2)
    state_dict["1.bias"] = torch.zeros(5)
    with pytest.raises(CheckpointError) as error:
        load_strict(network, state_dict, source="here.pth")
    message = str(error.value)
    assert "here.pth do not fit Sequential" in message
    assert "1 missing: 0.bias" in message
    assert "1 unexpected: extra.weight" in message
    assert "1.bias [5] instead of [3]" in message


def test_counters_may_be_missing(network):
    without = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert len(without) < len(network.state_dict())
    other = make_network()
    load_strict(other, without, source="here")
    assert_equal(other.state_dict(), network.state_dict())


def test_error_is_a_value_error():
    assert issubclass(CheckpointError, ValueError)
