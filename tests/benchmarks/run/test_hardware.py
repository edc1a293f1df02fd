import pytest
import torch

from gluestick.benchmarks.run.hardware import device_name


def test_gpus_have_names_and_others_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_name(torch.device("cpu")) == "cpu"
    assert device_name(torch.device("mps")) == "mps"
    assert device_name(torch.device("cuda:1")) == "GPU 1"
