"""True matches of line segments, by the rule of GlueStick (arXiv 2304.02008).

Each segment is sampled into points, which are carried into the other image. Two segments may
be the same where enough of the visible samples of each lie beside the other; among these, the
one-to-one assignment with the most such samples is the truth.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gluestick.supervision.line_samples import (
    LineSamples,
    carry_lines_by_depth,
    carry_lines_by_homography,
    is_absent,
)
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import IGNORED, UNMATCHED, GroundTruthConfig, TrueMatches
from gluestick.supervision.same_lines import beside_each_other, is_unknown

FORBIDDEN = 10**6


@torch.no_grad()
def line_truth_from_homography(
    lines0: Tensor,
    lines1: Tensor,
    H_0to1: Tensor,
    *,
    image_size0: Tensor,
    image_size1: Tensor,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> TrueMatches:
    """Match line segments of a plane through a homography.

    Args:
        lines0: [B, L0, 2, 2] px, in any order of the endpoints.
        lines1: [B, L1, 2, 2] px.
        H_0to1: [B, 3, 3], from image 0 to image 1.
        image_size0: [B, 2], (width, height) px.
        image_size1: [B, 2], (width, height) px.
        mask0: [B, L0] bool, the lines to match; the others are ignored. None for all.
        mask1: [B, L1] bool.
        config: The rule.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples = carry_lines_by_homography(
        lines0, lines1, H_0to1, image_size0=image_size0, image_size1=image_size1, config=config
    )
    return _match(samples, mask0, mask1, config)


@torch.no_grad()
def line_truth_from_depth(
    lines0: Tensor,
    lines1: Tensor,
    pair: DepthPair,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> TrueMatches:
    """Match line segments of a scene through its depth.

    Args:
        lines0: [B, L0, 2, 2] px, in any order of the endpoints.
        lines1: [B, L1, 2, 2] px.
        pair: The two images.
        mask0: [B, L0] bool, the lines to match; the others are ignored, and so are those of
            which too little depth is known. None for all.
        mask1: [B, L1] bool.
        config: The rule.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples = carry_lines_by_depth(lines0, lines1, pair, config=config)
    return _match(samples, mask0, mask1, config)


def _match(
    samples: LineSamples, mask0: Tensor | None, mask1: Tensor | None, config: GroundTruthConfig
) -> TrueMatches:
    from0, from1 = samples.from0, samples.from1
    beside0, beside1, same = beside_each_other(samples, config=config)
    ignored0 = is_unknown(from0, mask0, config=config)
    ignored1 = is_unknown(from1, mask1, config=config)
    eligible0 = same.any(2) & ~is_absent(from0, config=config) & ~ignored0
    eligible1 = same.any(1) & ~is_absent(from1, config=config) & ~ignored1
    eligible = eligible0[:, :, None] & eligible1[:, None]
    assigned = _assign((-beside0 * beside1).masked_fill(~eligible, FORBIDDEN))
    matches0 = _labels(assigned & same & eligible)
    matches1 = _labels((assigned & same & eligible).mT)
    return TrueMatches(
        matches0.masked_fill(ignored0, IGNORED), matches1.masked_fill(ignored1, IGNORED)
    )


def _assign(costs: Tensor) -> Tensor:
    """[B, L0, L1] bool, for each pair of images the one-to-one assignment of the least cost."""
    assigned = torch.zeros_like(costs, dtype=torch.bool)
    for index, cost in enumerate(costs.cpu().numpy()):
        rows, columns = linear_sum_assignment(cost)
        assigned[index, rows, columns] = True
    return assigned


def _labels(matches: Tensor) -> Tensor:
    """[B, L] int64, the matched column of each row of [B, L, M] bool."""
    if matches.shape[2] == 0:
        return matches.new_full(matches.shape[:2], UNMATCHED, dtype=torch.int64)
    return torch.where(matches.any(2), matches.int().argmax(2), UNMATCHED)
