"""The device that is pretended has to be as strict as a real one, or tests with it mean nothing."""

import copy
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from fake_accelerator import DEVICE, FakeAccelerator
from torch import Tensor, nn


@pytest.fixture
def fake() -> Iterator[FakeAccelerator]:
    with FakeAccelerator() as accelerator:
        yield accelerator


def test_tensors_say_where_they_are(fake: FakeAccelerator) -> None:
    made = torch.arange(4, device="cuda")
    for tensor in (made, made + 1, made[None], made.sum(), torch.ones(2).to(DEVICE), made[None].T):
        assert tensor.device == DEVICE
        assert tensor.is_cuda
    assert made.cpu().device.type == "cpu"
    assert torch.ones(2).device.type == "cpu"
    assert made.new_zeros(2).device == torch.empty_like(made).device == DEVICE
    assert made.to(torch.ones(1, dtype=torch.float64)).dtype == torch.float64
    assert all(entry.device == DEVICE for entry in (*made, *made.float().aminmax()))


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: here + there,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: torch.stack([here[0], there[0]]),
        lambda here, there: here[there.long()],
        lambda here, there: nn.functional.linear(here[None], there[None]),
        lambda here, there: torch.where(there > 0, here, here),
        lambda here, there: there.numpy(),
        lambda here, there: np.asarray(there),
    ],
)
def test_devices_cannot_be_mixed(fake: FakeAccelerator, mix) -> None:
    with pytest.raises((RuntimeError, TypeError), match=r"cpu|numpy"):
        mix(torch.ones(3), torch.ones(3, device="cuda"))


def test_numbers_may_come_from_the_host(fake: FakeAccelerator) -> None:
    assert (torch.ones(3, device="cuda") * torch.tensor(2.0)).tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("waits", "run"),
    [
        (0, lambda tensor: torch.stack([tensor * 2, tensor.flip(0)]).softmax(0).argsort()),
        (0, lambda tensor: torch.full((2, 2), 3.0, device=tensor.device)[:, 0].topk(1)),
        (1, lambda tensor: tensor.sum().item()),
        (1, lambda tensor: bool((tensor > 0).all())),
        (1, lambda tensor: tensor.tolist()),
        (1, lambda tensor: tensor.cpu().numpy()),
        (1, lambda tensor: f"{tensor[0]:g}"),
        (1, lambda tensor: tensor.nonzero()),
        (1, lambda tensor: tensor[tensor > 1]),
        (1, lambda tensor: tensor[[0, 2]]),
        (1, lambda tensor: tensor[torch.tensor([0, 2])]),
        (1, lambda tensor: tensor.new_tensor([1, 2])),
        (1, lambda tensor: torch.tensor([1, 2], device=tensor.device)),
        (1, lambda tensor: torch.from_numpy(np.ones(3)).to(tensor.device)),
        (1, lambda tensor: torch.linalg.solve(torch.eye(3, device=tensor.device), tensor)),
        (1, lambda tensor: torch.equal(tensor, tensor)),
    ],
)
def test_waits_are_counted(fake: FakeAccelerator, waits: int, run) -> None:
    tensor = torch.arange(3.0, device="cuda")
    assert fake.total == 0
    run(tensor)
    assert fake.total == waits
    run(torch.arange(3.0))
    assert fake.total == waits


def test_modules_move_and_learn(fake: FakeAccelerator) -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).to("cuda")
    optimizer = torch.optim.AdamW(layer.parameters())
    before = [value.cpu() for value in layer.parameters()]
    loss = layer(torch.rand(5, 3, device="cuda")).exp().sum()
    loss.backward()
    optimizer.step()
    for value, old in zip(layer.parameters(), before, strict=True):
        assert value.device == value.grad.device == DEVICE
        assert not torch.equal(value.cpu(), old)
    with pytest.raises(RuntimeError, match="cpu"):
        layer(torch.rand(4, 3))


def test_it_is_gone_afterwards() -> None:
    with FakeAccelerator():
        pass
    tensor: Tensor = torch.ones(2)
    assert copy.deepcopy(tensor).device == pickle.loads(pickle.dumps(tensor)).device
    assert tensor.sum().item() == 2
