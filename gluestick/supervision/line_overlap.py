"""Whether reported line matches overlap at all.

Detectors break lines into fragments, and a one-to-one truth calls the match of a line with any
but one of its fragments wrong. These functions ask for less: that both are part of the same
line, and overlap.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.supervision.line_neighbours import is_beside, supervised_frames
from gluestick.supervision.line_samples import (
    LineSamples,
    carry_lines_by_depth,
    carry_lines_by_homography,
)
from gluestick.supervision.reprojection import DepthPair, Reprojection
from gluestick.supervision.rules import GroundTruthConfig


class LineOverlaps(NamedTuple):
    """Which reported line matches overlap.

    Attributes:
        overlapping: [B, L0] bool, the line is matched, and overlaps its partner.
        judged: [B, L0] bool, the line is matched, and the depth of enough of it or of its
            partner is known to tell. The share of overlapping among the judged matches is a
            precision.
    """

    overlapping: Tensor
    judged: Tensor


@torch.no_grad()
def line_overlaps_by_homography(
    lines0: Tensor,
    lines1: Tensor,
    line_matches0: Tensor,
    H_0to1: Tensor,
    *,
    image_size0: Tensor,
    image_size1: Tensor,
    config: GroundTruthConfig | None = None,
) -> LineOverlaps:
    """Tell which matched line segments of a plane overlap.

    A match overlaps if the part of one line that, carried into the other image, runs within
    ``config.line_distance`` beside its partner is longer than ``config.min_overlap`` times
    the shorter of both there, in either direction.

    Args:
        lines0: [B, L0, 2, 2] px.
        lines1: [B, L1, 2, 2] px.
        line_matches0: [B, L0] int64, the reported line of image 1, or negative.
        H_0to1: [B, 3, 3], from image 0 to image 1.
        image_size0: [B, 2], (width, height) px.
        image_size1: [B, 2], (width, height) px.
        config: The rule.

    Returns:
        The overlaps.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples = carry_lines_by_homography(
        lines0, lines1, H_0to1, image_size0=image_size0, image_size1=image_size1, config=config
    )
    return _overlaps(samples, line_matches0, config)


@torch.no_grad()
def line_overlaps_by_depth(
    lines0: Tensor,
    lines1: Tensor,
    line_matches0: Tensor,
    pair: DepthPair,
    *,
    config: GroundTruthConfig | None = None,
) -> LineOverlaps:
    """Tell which matched line segments of a scene overlap.

    The rule is that of :func:`line_overlaps_by_homography`, for the visible parts of the lines.

    Args:
        lines0: [B, L0, 2, 2] px.
        lines1: [B, L1, 2, 2] px.
        line_matches0: [B, L0] int64, the reported line of image 1, or negative.
        pair: The two images.
        config: The rule.

    Returns:
        The overlaps.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples = carry_lines_by_depth(lines0, lines1, pair, config=config)
    return _overlaps(samples, line_matches0, config)


def _overlaps(
    samples: LineSamples, line_matches0: Tensor, config: GroundTruthConfig
) -> LineOverlaps:
    check_shapes(
        "line overlaps",
        {"lines0": samples.lines0, "line_matches0": line_matches0},
        {"lines0": "B L0 2 2", "line_matches0": "B L0"},
    )
    batch, line0 = torch.nonzero(line_matches0 >= 0, as_tuple=True)  # [K]
    line1 = line_matches0[batch, line0]
    carried0 = Reprojection(*(value[batch, line0] for value in samples.from0))  # [K, S, ...]
    carried1 = Reprojection(*(value[batch, line1] for value in samples.from1))
    overlapping0, judged0 = _overlap_one_way(samples.lines1[batch, line1], carried0, config)
    overlapping1, judged1 = _overlap_one_way(samples.lines0[batch, line0], carried1, config)
    overlapping = torch.zeros_like(line_matches0, dtype=torch.bool)
    judged = torch.zeros_like(overlapping)
    overlapping[batch, line0] = overlapping0 | overlapping1
    judged[batch, line0] = judged0 | judged1
    return LineOverlaps(overlapping=overlapping, judged=judged)


def _overlap_one_way(
    lines: Tensor, samples: Reprojection, config: GroundTruthConfig
) -> tuple[Tensor, Tensor]:
    """Compare lines [K, 2, 2] with carried samples [K, S, ...] of their partners."""
    frames = supervised_frames(lines, config=config)
    along, across = frames.coordinates(*samples.positions.unbind(-1))  # [K, S]
    beside = is_beside(frames, along, across, config=config) & samples.visible
    shorter = torch.minimum(frames.length, _extent(along, across, samples.visible))
    overlap = _extent(along, torch.zeros_like(along), beside)
    judged = samples.known.float().mean(-1) >= config.min_visibility
    return judged & (overlap > config.min_overlap * shorter), judged


def _extent(along: Tensor, across: Tensor, chosen: Tensor) -> Tensor:
    """[K], how far the chosen points [K, S] extend: the diagonal of the box around them."""
    if along.numel() == 0:
        return along.new_zeros(along.shape[0])
    spans = [
        values.masked_fill(~chosen, -torch.inf).amax(-1)
        - values.masked_fill(~chosen, torch.inf).amin(-1)
        for values in (along, across)
    ]
    return torch.hypot(*(span.clamp(min=0) for span in spans))
