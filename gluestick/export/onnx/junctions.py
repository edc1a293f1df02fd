"""Junctions of raw segments, in operations that ONNX has."""

import torch
from torch import Tensor

_SQUARINGS = 8
"""Enough for chains of 256 ends: each doubles the reach."""


def merge_ends(lines: Tensor, line_mask: Tensor, *, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Merge ends that lie close to each other, as ``gluestick.wireframe.junctions`` does.

    A group of ends has the number of its first end.

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
    reached = near.to(ends.dtype)
    for _ in range(_SQUARINGS):
        reached = ((reached @ reached) > 0).to(ends.dtype)
    own = torch.arange(ends.shape[1], device=lines.device)
    label = torch.where(real, reached.argmax(2), own)
    together = ((label[:, :, None] == label[:, None]) & real[:, None]).to(ends.dtype)
    junctions = (together @ ends) / together.sum(2, keepdim=True).clamp(min=1)
    return junctions, real & (label == own), label.view(label.shape[0], -1, 2)
