"""Which line segments of two images are parts of one line, many to many.

Detectors break lines into fragments, and each fragment of a line in one image is the same line as
each fragment in the other that lies beside it. The rule is that of the one-to-one truth (see
:mod:`gluestick.supervision.line_truth`), without its assignment.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gluestick.supervision.line_neighbours import count_samples_beside, may_have_beside
from gluestick.supervision.line_samples import (
    LineSamples,
    carry_lines_by_depth,
    carry_lines_by_homography,
)
from gluestick.supervision.reprojection import DepthPair, Reprojection
from gluestick.supervision.rules import GroundTruthConfig

_EDGE = 0.03
"""By which share neighbouring depths differ at the edge of a thing."""


class BesideEachOther(NamedTuple):
    """How many samples of each line lie beside each line of the other image.

    Attributes:
        beside0: [B, L0, L1] int64, samples of line 1 beside line 0 in image 0.
        beside1: [B, L0, L1] int64, samples of line 0 beside line 1 in image 1.
        same: [B, L0, L1] bool, whether both are enough.
    """

    beside0: Tensor
    beside1: Tensor
    same: Tensor


class SameLines(NamedTuple):
    """The truth about each pair of lines.

    Attributes:
        same: [B, L0, L1] bool, parts of one line.
        overlap: [B, L0, L1] in [0, 1], how much of both they have in common: the geometric mean
            of the shares of each that lie beside the other.
        known: [B, L0, L1] bool, False for padding, and where the depth of too little of either
            line is known.
    """

    same: Tensor
    overlap: Tensor
    known: Tensor


@torch.no_grad()
def same_lines_from_homography(
    lines0: Tensor,
    lines1: Tensor,
    H_0to1: Tensor,
    *,
    image_size0: Tensor,
    image_size1: Tensor,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> SameLines:
    """Compare the lines of two images of a plane.

    Arguments and errors are those of
    :func:`gluestick.supervision.line_truth.line_truth_from_homography`.
    """
    config = config or GroundTruthConfig()
    samples = carry_lines_by_homography(
        lines0, lines1, H_0to1, image_size0=image_size0, image_size1=image_size1, config=config
    )
    return _same_lines(samples, mask0, mask1, config)


@torch.no_grad()
def same_lines_from_depth(
    lines0: Tensor,
    lines1: Tensor,
    pair: DepthPair,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> SameLines:
    """Compare the lines of two posed images with depth.

    Arguments and errors are those of
    :func:`gluestick.supervision.line_truth.line_truth_from_depth`.
    """
    config = config or GroundTruthConfig()
    return _same_lines(
        carry_lines_by_depth(lines0, lines1, pair, config=config), mask0, mask1, config
    )


@torch.no_grad()
def best_partners(truth: SameLines) -> Tensor:
    """Choose among the same lines one partner for each, so that they overlap the most in all.

    Args:
        truth: The truth about each pair of lines.

    Returns:
        [B, L0, L1] bool, at most one for each line.
    """
    chosen = torch.zeros_like(truth.same)
    for index, (same, overlap) in enumerate(
        zip(truth.same.cpu(), truth.overlap.cpu(), strict=True)
    ):
        rows, columns = same.any(1).nonzero()[:, 0], same.any(0).nonzero()[:, 0]
        gains = torch.where(same, overlap**2, 0)[rows][:, columns]
        row, column = linear_sum_assignment(gains.numpy(), maximize=True)
        chosen[index, rows[row], columns[column]] = True
    return chosen & truth.same


def beside_each_other(samples: LineSamples, *, config: GroundTruthConfig) -> BesideEachOther:
    """Count the visible samples of the lines of both images beside each other.

    Args:
        samples: The lines and their samples in the other image.
        config: Its ``line_distance`` and ``min_overlap`` apply.
    """
    lines0, lines1, from0, from1 = samples
    in_image0 = lines0, from1.positions, from1.visible
    in_image1 = lines1, from0.positions, from0.visible
    near = (
        may_have_beside(*in_image0, config=config) & may_have_beside(*in_image1, config=config).mT
    )
    beside0 = count_samples_beside(*in_image0, among=near, config=config)
    beside1 = count_samples_beside(*in_image1, among=near.mT, config=config).mT
    same = (beside1 > _needed(from0, config)[:, :, None]) & (
        beside0 > _needed(from1, config)[:, None]
    )
    return BesideEachOther(beside0, beside1, same)


def is_unknown(samples: Reprojection, mask: Tensor | None, *, config: GroundTruthConfig) -> Tensor:
    """Tell which lines [B, L] are padding, or have too little known depth to be judged."""
    unknown = samples.known.float().mean(-1) < config.min_visibility
    return unknown if mask is None else unknown | ~mask


def foreground_depth(depth: Tensor) -> Tensor:
    """Let the nearer side of a depth edge reach one pixel farther.

    Lines found at the edge of a thing belong to the thing, but may lie just beside it.

    Args:
        depth: [B, H, W], 0 where unknown.

    Returns:
        [B, H, W], 0 at the same places.
    """
    nearness = torch.where(depth > 0, 1 / depth.clamp(min=1e-6), 0)[:, None]
    nearest = 1 / F.max_pool2d(nearness, 3, stride=1, padding=1)[:, 0].clamp(min=1e-9)
    return torch.where(depth > nearest * (1 + _EDGE), nearest, depth)


def _same_lines(
    samples: LineSamples, mask0: Tensor | None, mask1: Tensor | None, config: GroundTruthConfig
) -> SameLines:
    beside0, beside1, same = beside_each_other(samples, config=config)
    known0 = ~is_unknown(samples.from0, mask0, config=config)
    known1 = ~is_unknown(samples.from1, mask1, config=config)
    known = known0[:, :, None] & known1[:, None]
    shares = beside0.float() * beside1.float()
    return SameLines(
        same=same & known,
        overlap=shares.sqrt() / config.num_samples,
        known=known,
    )


def _needed(samples: Reprojection, config: GroundTruthConfig) -> Tensor:
    """[B, L], the number of samples beside the partner that a match must exceed."""
    return samples.visible.float().sum(-1) * config.min_overlap
