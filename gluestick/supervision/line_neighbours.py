"""Which sampled points lie beside which line segments."""

import torch
from torch import Tensor

from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.lines import distances_from_lines, line_lengths
from gluestick.supervision.rules import GroundTruthConfig

SLACK = 0.01  # px, more than the rounding of coordinates
PAIRS_AT_ONCE = 2048  # whose samples fit into a processor's cache


def supervised_frames(lines: Tensor, *, config: GroundTruthConfig) -> LineFrames[Tensor]:
    """Return the frames of segments, which begin at the second endpoint, as in glue-factory.

    Args:
        lines: [..., 2, 2] px.
        config: Its ``glue_factory_numerics`` apply.

    Returns:
        The frames; the coordinates of a segment without length are NaN.
    """
    length = line_lengths(lines)
    if config.glue_factory_numerics:
        length = length.half().to(lines)
    return LineFrames.of(lines.flip(-2), length=length)


def is_beside(
    frames: LineFrames[Tensor], along: Tensor, across: Tensor, *, config: GroundTruthConfig
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
    between = (along >= 0) & (along <= frames.length[..., None])
    return between & (across.abs() < config.line_distance)


def may_have_beside(
    lines: Tensor, samples: Tensor, visible: Tensor, *, config: GroundTruthConfig
) -> Tensor:
    """Exclude pairs of which no sample can lie beside the segment.

    All visible samples of a line lie within some distance of the chord from the first to the
    last of them, and the chord lies between its ends in the frame of every segment.

    Args:
        lines: [B, L, 2, 2] px, the segments.
        samples: [B, M, S, 2] px, the samples of other lines in the same image.
        visible: [B, M, S] bool, the samples that count.
        config: Its ``line_distance`` applies.

    Returns:
        [B, L, M] bool, False only where no visible sample lies beside the segment.
    """
    frames = supervised_frames(lines, config=config)
    chord, deviation = _chords(samples, visible)  # [B, M, 2, 2], [B, M]
    margin = deviation[:, None] + SLACK
    (along0, across0), (along1, across1) = (
        frames.coordinates(*end[:, None].unbind(-1)) for end in chord.unbind(2)
    )  # [B, L, M]
    near = (torch.minimum(across0, across1) - margin < config.line_distance) & (
        torch.maximum(across0, across1) + margin > -config.line_distance
    )
    between = (torch.maximum(along0, along1) + margin >= 0) & (
        torch.minimum(along0, along1) - margin <= frames.length[..., None]
    )
    return near & between & visible.any(-1)[:, None]


def count_samples_beside(
    lines: Tensor,
    samples: Tensor,
    visible: Tensor,
    *,
    among: Tensor,
    config: GroundTruthConfig,
) -> Tensor:
    """Count how many samples of each line lie beside each segment.

    Args:
        lines: [B, L, 2, 2] px, the segments.
        samples: [B, M, S, 2] px, the samples of other lines in the same image.
        visible: [B, M, S] bool, the samples to count.
        among: [B, L, M] bool, the pairs to look at.
        config: Its ``line_distance`` applies.

    Returns:
        [B, L, M] int64, 0 for other pairs.
    """
    num_lines, num_others = among.shape[1:]
    frames = supervised_frames(lines.flatten(0, 1), config=config)
    x, y = (values.flatten(0, 1).contiguous() for values in samples.unbind(-1))  # [B*M, S]
    visible = visible.flatten(0, 1)
    counts = torch.zeros(among.numel(), dtype=torch.int64, device=among.device)
    for pairs in torch.nonzero(among.flatten())[:, 0].split(PAIRS_AT_ONCE):
        line = pairs // num_others  # [K], among the B*L segments
        other = line // num_lines * num_others + pairs % num_others  # [K], among the B*M lines
        chosen = frames.select(line)
        along, across = chosen.coordinates(x[other], y[other])  # [K, S]
        beside = is_beside(chosen, along, across, config=config) & visible[other]
        counts[pairs] = beside.sum(-1)
    return counts.view(among.shape)


def _chords(samples: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Return the chords [B, M, 2, 2] of the visible samples and their deviation [B, M] px."""
    order = visible.int()
    last = order.shape[-1] - 1 - order.flip(-1).argmax(-1)
    ends = torch.stack([order.argmax(-1), last], dim=-1)  # [B, M, 2]
    chord = samples.gather(2, ends[..., None].expand(*ends.shape, 2))
    distance = distances_from_lines(samples, chord)  # [B, M, S]
    return chord, distance.masked_fill(~visible, 0).amax(-1)
