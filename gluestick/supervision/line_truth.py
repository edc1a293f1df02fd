"""True matches of line segments, by the rule of GlueStick (arXiv 2304.02008, section 4.1).

Each segment is sampled into points, which are carried into the other image. Two segments are
the same where enough of the visible samples of each lie beside the other; among those, the
one-to-one assignment with the most such samples is the truth.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.lines import points_on_lines
from gluestick.supervision.line_neighbours import count_samples_beside
from gluestick.supervision.reprojection import (
    DepthPair,
    Reprojection,
    clip_to_pixels,
    reproject_by_depth,
    reproject_by_homography,
)
from gluestick.supervision.rules import IGNORED, UNMATCHED, GroundTruthConfig, TrueMatches

FORBIDDEN_COST = 10**6


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
        config: The thresholds.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples0, samples1 = carry_lines_by_homography(
        lines0, lines1, H_0to1, image_size0=image_size0, image_size1=image_size1, config=config
    )
    samples0, samples1 = (_without_absent_lines(s, config) for s in (samples0, samples1))
    lines0 = clip_to_pixels(lines0, image_size0, config=config)
    lines1 = clip_to_pixels(lines1, image_size1, config=config)
    return _match(lines0, lines1, samples0, samples1, mask0, mask1, config)


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
        mask0: [B, L0] bool, the lines to match; the others are ignored, and so are lines of
            which too little depth is known. None for all.
        mask1: [B, L1] bool.
        config: The thresholds.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    samples0, samples1 = carry_lines_by_depth(lines0, lines1, pair, config=config)
    lines0 = clip_to_pixels(lines0, pair.image_size0, config=config)
    lines1 = clip_to_pixels(lines1, pair.image_size1, config=config)
    return _match(lines0, lines1, samples0, samples1, mask0, mask1, config)
