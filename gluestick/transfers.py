"""Values between the host and the device of a network, in few copies.

A program that reads a value of a GPU waits until the GPU has computed it, and small values that are
copied there one by one wait as well. So what is read or written together goes in one copy.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_ALIGNMENT = 8
"""At a multiple of this many bytes the numbers of any type may begin."""


def to_host(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    """Read tensors as arrays, with a single copy if they are on another device.

    Args:
        tensors: Tensors on one device, without gradients that matter.

    Returns:
        An array for each, of the same shape and type; where a tensor is on the CPU it shares its
        memory.
    """
    values = [tensor.detach() for tensor in tensors]
    if len(values) < 2 or all(value.device.type == "cpu" for value in values):
        return tuple(value.cpu().numpy() for value in values)
    flat = [value.contiguous().reshape(-1).view(torch.uint8) for value in values]
    parts = torch.cat(flat).cpu().split([len(part) for part in flat])
    return tuple(
        part.clone().view(value.dtype).reshape(value.shape).numpy()
        for part, value in zip(parts, values, strict=True)
    )


def to_device(*arrays: np.ndarray, device: torch.device | str) -> tuple[Tensor, ...]:
    """Write arrays to a device, with a single copy unless it is the CPU.

    Args:
        arrays: Arrays of any shapes and types.
        device: Where they go.

    Returns:
        A tensor for each, of the same shape and type; on the CPU it shares the array's memory.
    """
    values = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    if len(values) < 2 or torch.device(device).type == "cpu":
        return tuple(value.to(device) for value in values)
    offsets = np.cumsum([0, *(-(-value.nbytes // _ALIGNMENT) * _ALIGNMENT for value in values)])
    packed = torch.zeros(int(offsets[-1]), dtype=torch.uint8)
    for value, offset in zip(values, offsets.tolist(), strict=False):
        packed[offset : offset + value.nbytes] = value.reshape(-1).view(torch.uint8)
    packed = packed.to(device)
    return tuple(
        packed[offset : offset + value.nbytes].view(value.dtype).reshape(value.shape)
        for value, offset in zip(values, offsets.tolist(), strict=False)
    )


def small_tensor(values: Sequence[float], *, like: Tensor) -> Tensor:
    """Build a tensor of a few numbers without a copy from the host.

    Args:
        values: M numbers.
        like: Gives the type and the device.

    Returns:
        [M].
    """
    if like.device.type == "cpu":
        return like.new_tensor(values)
    return torch.stack([like.new_full((), value) for value in values])
