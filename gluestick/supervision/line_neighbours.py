"""Which sampled points lie beside which line segments."""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.supervision.rules import GroundTruthConfig

SLACK = 0.01  # px, more than the rounding of coordinates


class LineFrames(NamedTuple):
    """Coordinate frames along line segments, with the origin at the second endpoint.

    A segment extends from ``-length`` to 0 along its direction.

    Attributes:
        origin: [..., 2] px.
        direction: [..., 2], of unit length, from the first to the second endpoint; NaN for a
            segment without length.
        length: [...] px.
    """

    origin: Tensor
    direction: Tensor
    length: Tensor

    @classmethod
    def of(cls, lines: Tensor, *, config: GroundTruthConfig) -> "LineFrames":
        """Return the frames of segments [..., 2, 2] px."""
        along = lines[..., 1, :] - lines[..., 0, :]
        length = torch.linalg.vector_norm(along, dim=-1)
        if config.glue_factory_numerics:
            length = length.half().to(lines)
        return cls(lines[..., 1, :], along / length[..., None], length)

    def take(self, *index: Tensor) -> "LineFrames":
        """Return the frames of the chosen segments."""
        return LineFrames(*(value[index] for value in self))

    def coordinates(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coordinates along and across segments.

        Args:
            x: [..., S] px, points for each segment.
            y: [..., S] px.

        Returns:
            Along and across, [..., S] px.
        """
        x, y = x - self.origin[..., :1], y - self.origin[..., 1:]
        dx, dy = self.direction[..., :1], self.direction[..., 1:]
        return x * dx + y * dy, y * dx - x * dy


def is_beside(
    frames: LineFrames, along: Tensor, across: Tensor, *, config: GroundTruthConfig
) -> Tensor:
    """Tell which points lie near a segment and between its ends.

    Args:
        frames: [...], the segments.
        along: [..., S] px, coordinates of points in these frames.
        across: [..., S] px.
        config: Its ``line_distance`` applies.

    Returns:
        [..., S] bool.
    """
    between = (along <= 0) & (along >= -frames.length[..., None])
    return between & (across.abs() < config.line_distance)


def count_samples_beside(
    lines: Tensor, samples: Tensor, visible: Tensor, *, config: GroundTruthConfig
) -> Tensor:
    """Count how many samples of each line lie beside each segment.

    Args:
        lines: [B, L, 2, 2] px, the segments.
        samples: [B, M, S, 2] px, the samples of the other lines in the same image.
        visible: [B, M, S] bool, the samples to count.
        config: Its ``line_distance`` applies.

    Returns:
        [B, L, M] int64.
    """
    frames = LineFrames.of(lines, config=config)
    batch, line, other = _candidates(frames, samples, visible, config)  # [K]
    chosen = frames.take(batch, line)
    x, y = (values.contiguous()[batch, other] for values in samples.unbind(-1))  # [K, S]
    along, across = chosen.coordinates(x, y)
    beside = is_beside(chosen, along, across, config=config) & visible[batch, other]
    counts = torch.zeros(
        *lines.shape[:2], samples.shape[1], dtype=torch.int64, device=lines.device
    )
    counts[batch, line, other] = beside.sum(-1)
    return counts


def _candidates(
    frames: LineFrames, samples: Tensor, visible: Tensor, config: GroundTruthConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices (batch, line, other) of all pairs that may have samples beside.

    All visible samples of a line lie within some distance of the chord from the first to the
    last of them, and the chord lies between its ends in the frame of every segment.
    """
    chord, deviation = _chords(samples, visible)  # [B, M, 2, 2], [B, M]
    wide = LineFrames(*(value[:, :, None] for value in frames))  # [B, L, 1, ...]
    along, across = wide.coordinates(*chord[:, None].unbind(-1))  # [B, L, M, 2]
    margin = deviation[:, None] + SLACK
    near = (across.amin(-1) - margin < config.line_distance) & (
        across.amax(-1) + margin > -config.line_distance
    )
    between = (along.amin(-1) - margin <= 0) & (along.amax(-1) + margin >= -wide.length)
    batch, line, other = torch.nonzero(near & between & visible.any(-1)[:, None], as_tuple=True)
    return batch, line, other


def _chords(samples: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Return the chords [B, M, 2, 2] of the visible samples and their deviation [B, M] px."""
    order = visible.int()
    last = order.shape[-1] - 1 - order.flip(-1).argmax(-1)
    ends = torch.stack([order.argmax(-1), last], dim=-1)  # [B, M, 2]
    chord = samples.gather(2, ends[..., None].expand(*ends.shape, 2))
    step = chord[..., 1, :] - chord[..., 0, :]
    offset = samples - chord[:, :, :1]  # [B, M, S, 2]
    squared = (step**2).sum(-1, keepdim=True).clamp(min=torch.finfo(step.dtype).tiny)
    fraction = ((offset * step[:, :, None]).sum(-1) / squared).clamp(0, 1)
    distance = torch.linalg.vector_norm(offset - fraction[..., None] * step[:, :, None], dim=-1)
    return chord, distance.masked_fill(~visible, 0).amax(-1)
