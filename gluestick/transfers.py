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
    flat = [value.contiguous().view(-1).view(torch.uint8) for value in values if value.numel()]
    packed = torch.cat(flat).cpu() if flat else torch.zeros(0, dtype=torch.uint8)
    parts = packed.split([value.nbytes for value in values])
    return tuple(
        part.clone().view(value.dtype).view(value.shape).numpy()
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
    values = [torch.from_numpy(np.asarray(array, order="C")) for array in arrays]
    if len(values) < 2 or torch.device(device).type == "cpu":
        return tuple(value.to(device) for value in values)
    blocks = [-(-value.nbytes // _ALIGNMENT) * _ALIGNMENT for value in values]
    packed = torch.zeros(sum(blocks), dtype=torch.uint8)
    for part, value in zip(packed.split(blocks), values, strict=True):
        if value.numel():
            part[: value.nbytes] = value.view(-1).view(torch.uint8)
    parts = packed.to(device).split(blocks)
    return tuple(
        part[: value.nbytes].view(value.dtype).view(value.shape)
        for part, value in zip(parts, values, strict=True)
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


def existing_device(device: torch.device | str | None) -> torch.device:
    """Return the device that is meant.

    Args:
        device: A device or its name; "auto" for the first GPU where there is one; None for the
            CPU.

    Raises:
        ValueError: If torch cannot use it.
    """
    if device is None:
        return torch.device("cpu")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device needs one that torch can use, found {device!r}: {reason}") from (
            error
        )
    return torch.device(device)
