"""True matches of points, by the rule that GlueStick (arXiv 2304.02008) was trained with."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.epipolar import symmetric_epipolar_distance_matrix
from gluestick.supervision.reprojection import (
    DepthPair,
    Reprojection,
    reproject_by_depth,
    reproject_by_homography,
)
from gluestick.supervision.rules import IGNORED, UNMATCHED, GroundTruthConfig, TrueMatches

SHAPES = {"keypoints0": "B N0 2", "keypoints1": "B N1 2"}


@torch.no_grad()
def point_truth_from_homography(
    keypoints0: Tensor,
    keypoints1: Tensor,
    H_0to1: Tensor,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> TrueMatches:
    """Match points of a plane through a homography.

    Args:
        keypoints0: [B, N0, 2] px.
        keypoints1: [B, N1, 2] px.
        H_0to1: [B, 3, 3], from image 0 to image 1.
        mask0: [B, N0] bool, the points to match; the others are ignored. None for all.
        mask1: [B, N1] bool.
        config: The thresholds.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    arrays = {"keypoints0": keypoints0, "keypoints1": keypoints1, "H_0to1": H_0to1}
    check_shapes("ground truth", arrays, SHAPES | {"H_0to1": "B 3 3"})
    from0 = reproject_by_homography(keypoints0, H_0to1, config=config)
    from1 = reproject_by_homography(keypoints1, torch.linalg.inv(H_0to1), config=config)
    return match_reprojections(
        keypoints0, keypoints1, from0, from1, mask0=mask0, mask1=mask1, config=config
    )


@torch.no_grad()
def point_truth_from_depth(
    keypoints0: Tensor,
    keypoints1: Tensor,
    pair: DepthPair,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig | None = None,
) -> TrueMatches:
    """Match points of a scene through its depth.

    Points whose depth is unknown are ignored, unless ``config.epipolar_distance`` tells that
    they have no partner.

    Args:
        keypoints0: [B, N0, 2] px.
        keypoints1: [B, N1, 2] px.
        pair: The two images.
        mask0: [B, N0] bool, the points to match; the others are ignored. None for all.
        mask1: [B, N1] bool.
        config: The thresholds.

    Returns:
        The true matches.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    arrays = {"keypoints0": keypoints0, "keypoints1": keypoints1, "pair.K0": pair.K0}
    check_shapes("ground truth", arrays, SHAPES | {"pair.K0": "B 3 3"})
    mask0, mask1 = _all_if_none(mask0, keypoints0), _all_if_none(mask1, keypoints1)
    from0 = reproject_by_depth(keypoints0, pair, cycle=True, config=config)
    from1 = reproject_by_depth(keypoints1, pair.reversed(), cycle=True, config=config)
    matches = match_reprojections(
        keypoints0, keypoints1, from0, from1, mask0=mask0, mask1=mask1, config=config
    )
    if config.epipolar_distance is None:
        return matches
    F_0to1 = _fundamental_matrix(pair).to(keypoints0)
    distance = symmetric_epipolar_distance_matrix(keypoints0, keypoints1, F_0to1)
    open0, open1 = (matches.matches0 == IGNORED) & mask0, (matches.matches1 == IGNORED) & mask1
    far = (distance > config.epipolar_distance) | ~(open0[:, :, None] & open1[:, None])
    return TrueMatches(
        matches.matches0.masked_fill(far.all(2) & open0 & ~from0.known, UNMATCHED),
        matches.matches1.masked_fill(far.all(1) & open1 & ~from1.known, UNMATCHED),
    )


@torch.no_grad()
def match_reprojections(
    keypoints0: Tensor,
    keypoints1: Tensor,
    from0: Reprojection,
    from1: Reprojection,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: GroundTruthConfig,
) -> TrueMatches:
    """Match points that are mutual nearest neighbours by the larger of both distances.

    Args:
        keypoints0: [B, N0, 2] px.
        keypoints1: [B, N1, 2] px.
        from0: Those of image 0, carried into image 1.
        from1: Those of image 1, carried into image 0.
        mask0: [B, N0] bool, the points to match; the others are ignored. None for all.
        mask1: [B, N1] bool.
        config: The thresholds.

    Returns:
        The true matches.
    """
    mask0, mask1 = _all_if_none(mask0, keypoints0), _all_if_none(mask1, keypoints1)
    error0 = _squared_distances(from0.positions, keypoints1)  # [B, N0, N1] px in image 1
    error1 = _squared_distances(keypoints0, from1.positions)  # [B, N0, N1] px in image 0
    possible = (mask0 & from0.visible)[:, :, None] & (mask1 & from1.visible)[:, None]
    error = torch.maximum(error0, error1).masked_fill(~possible, torch.inf)
    error = F.pad(error, (0, 1, 0, 1), value=torch.inf)  # [B, N0+1, N1+1]
    best0, best1 = error.min(2), error.min(1)
    row = torch.arange(keypoints0.shape[1] + 1, device=keypoints0.device)
    column = torch.arange(keypoints1.shape[1] + 1, device=keypoints0.device)
    near = config.positive_distance**2
    true0 = (best1.indices.gather(1, best0.indices) == row) & (best0.values < near)
    true1 = (best0.indices.gather(1, best1.indices) == column) & (best1.values < near)

    far = config.negative_distance**2
    lonely0 = (error0.masked_fill(~mask1[:, None], torch.inf) > far).all(2) & from0.known
    lonely1 = (error1.masked_fill(~mask0[:, :, None], torch.inf) > far).all(1) & from1.known
    matches0 = torch.where(true0, best0.indices, IGNORED)[:, :-1].masked_fill(lonely0, UNMATCHED)
    matches1 = torch.where(true1, best1.indices, IGNORED)[:, :-1].masked_fill(lonely1, UNMATCHED)
    return TrueMatches(matches0.masked_fill(~mask0, IGNORED), matches1.masked_fill(~mask1, IGNORED))


def _all_if_none(mask: Tensor | None, keypoints: Tensor) -> Tensor:
    return torch.ones_like(keypoints[..., 0], dtype=torch.bool) if mask is None else mask


def _fundamental_matrix(pair: DepthPair) -> Tensor:
    """[B, 3, 3], K1^-T [t]x R K0^-1."""
    columns = torch.linalg.cross(pair.t_0to1[:, None].expand_as(pair.R_0to1), pair.R_0to1.mT)
    return torch.linalg.inv(pair.K1).mT @ columns.mT @ torch.linalg.inv(pair.K0)


def _squared_distances(points0: Tensor, points1: Tensor) -> Tensor:
    (x0, y0), (x1, y1) = points0.unbind(-1), points1.unbind(-1)
    return (x0[:, :, None] - x1[:, None]) ** 2 + (y0[:, :, None] - y1[:, None]) ** 2  # [B, N0, N1]
