import numpy as np
import pytest
import torch
from accelerators import Accelerator

from gluestick.transfers import small_tensor, to_device, to_host

ARRAYS = (
    np.arange(6, dtype=np.float32).reshape(3, 2) / 7,
    np.array([True, False, True]),
    np.zeros((0, 2, 2), np.float32),
    np.array(2**40 + 1),
    np.array([[1.5], [2.5]]),
    np.array([7, 255], np.uint8),
    np.zeros((2, 0), np.int64),
)


@pytest.mark.parametrize("count", range(len(ARRAYS) + 1))
def test_there_and_back_in_two_copies(accelerator: Accelerator, count: int) -> None:
    arrays = ARRAYS[:count]
    found: list[np.ndarray] = []

    def run() -> None:
        tensors = to_device(*arrays, device=accelerator.device)
        for tensor, array in zip(tensors, arrays, strict=True):
            assert tensor.device.type == accelerator.device.type
            assert tuple(tensor.shape) == array.shape
        found.extend(to_host(*tensors))

    assert accelerator.count_waits(run) <= 2 * min(count, 1)
    for value, array in zip(found, arrays, strict=True):
        assert value.dtype == array.dtype
        assert np.array_equal(value, array)


def test_only_empty_values(accelerator: Accelerator) -> None:
    empty = [torch.zeros(0, 2, device=accelerator.device), torch.zeros(3, 0, dtype=torch.int64)]
    assert [value.shape for value in to_host(empty[0], empty[0].long())] == [(0, 2)] * 2
    assert to_host() == ()


def test_what_is_on_the_host_is_not_copied() -> None:
    tensor = torch.zeros(3, requires_grad=True)
    array, _ = to_host(tensor, tensor.sum())
    array[1] = 5
    assert tensor.tolist() == [0, 5, 0]
    (back,) = to_device(array, device="cpu")
    back[2] = 6
    assert tensor.tolist() == [0, 5, 6]


def test_parts_of_tensors_are_read(accelerator: Accelerator) -> None:
    tensor = torch.arange(12, device=accelerator.device).view(3, 4)
    columns, row = to_host(tensor[:, 1::2], tensor[1])
    assert columns.tolist() == [[1, 3], [5, 7], [9, 11]]
    assert row.tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_small_tensors_need_no_copy(accelerator: Accelerator, dtype: torch.dtype) -> None:
    like = torch.zeros(5, dtype=dtype)
    there = like.to(accelerator.device)
    made = []
    assert accelerator.count_waits(lambda: made.append(small_tensor([3, 4], like=there))) == 0
    assert made[0].device.type == accelerator.device.type
    for tensor in (made[0].cpu(), small_tensor([3, 4], like=like)):
        assert tensor.dtype == dtype
        assert tensor.tolist() == [3, 4]
