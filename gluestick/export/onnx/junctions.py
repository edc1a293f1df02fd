"""Junctions of raw segments, in operations that ONNX has."""

import torch
from torch import Tensor

_ROUNDS = 16
"""Enough for chains of ends far longer than images have: a round at least doubles the reach."""


def merge_ends(lines: Tensor, line_mask: Tensor, *, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Merge ends that lie close to each other, as ``gluestick.wireframe.junctions`` does.

    A group of ends has the number of its first end. Numbers are handed to neighbours, and to
    those that have the number of a neighbour, until all of a group have the smallest.

    Args:
        lines: [B, L, 2, 2] px.
        line_mask: [B, L] bool, False for padding.
        radius: px, up to which two ends belong together.

    Returns:
        The junctions [B, 2 L, 2] px, each the mean of its ends; where there is one [B, 2 L]
        bool; and the junctions of each line [B, L, 2] int64.
    """
    ends = lines.flatten(1, 2)  # [B, M, 2]
    real = line_mask[..., None].expand(-1, -1, 2).flatten(1)
    x, y = ends.unbind(-1)
    squared = (x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2
    near = (squared <= radius**2) & real[:, :, None] & real[:, None]
    own = torch.arange(ends.shape[1], device=lines.device).expand(ends.shape[0], -1)
    label = own
    for _ in range(_ROUNDS):
        lowest = torch.where(near, label[:, None], own[:, :, None]).amin(2)
        label = lowest.gather(1, lowest)
    together = ((label[:, :, None] == label[:, None]) & real[:, None]).to(ends.dtype)
    junctions = (together @ ends) / together.sum(2, keepdim=True).clamp(min=1)
    return junctions, real & (label == own), label.unflatten(1, (-1, 2))
