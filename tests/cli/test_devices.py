import pytest
import torch

from gluestick.cli.devices import select_device


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    """Let torch find a number of CUDA devices, and Apple's GPU or none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("name", "found", "device"),
    [
        ("auto", {}, "cpu"),
        ("auto", {"cuda": 2}, "cuda"),
        ("auto", {"mps": True}, "cpu"),
        ("cpu", {"cuda": 2}, "cpu"),
        ("cuda", {"cuda": 1}, "cuda"),
        ("cuda:0", {"cuda": 1}, "cuda:0"),
        ("cuda:1", {"cuda": 2}, "cuda:1"),
        ("mps", {"mps": True}, "mps"),
    ],
)
def test_names(monkeypatch: pytest.MonkeyPatch, name: str, found: dict, device: str) -> None:
    pretend(monkeypatch, **found)
    assert select_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("name", "found", "message"),
    [
        ("cuda", {}, "--device cuda needs a CUDA device of this number, and torch finds none"),
        ("cuda:2", {"cuda": 2}, "cuda:2 needs .* finds 2, from cuda:0 on: use --device auto"),
        ("mps", {"cuda": 1}, "mps needs a Mac"),
        ("tpu", {}, "needs auto, cpu, cuda, cuda:N or mps, found 'tpu'"),
        ("cuda:", {"cuda": 1}, "found 'cuda:'"),
        ("cuda:-1", {"cuda": 1}, "found 'cuda:-1'"),
        ("cpu:1", {}, "found 'cpu:1'"),
        ("", {}, "found ''"),
    ],
)
def test_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, name: str, found: dict, message: str
) -> None:
    pretend(monkeypatch, **found)
    with pytest.raises(ValueError, match=message):
        select_device(name)
