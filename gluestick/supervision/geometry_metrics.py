"""How far matches and estimates are from the true geometry."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.homography import transform_points
from gluestick.geometry.points import Array
from gluestick.supervision.reprojection import DepthPair, reproject_by_depth
from gluestick.supervision.rules import GroundTruthConfig


def error_auc(errors: np.ndarray, thresholds: Sequence[float]) -> list[float]:
    """Return the areas under the curve of the share of errors below a threshold.

    The curve rises linearly from one error to the next, as in SuperGlue (arXiv 1911.11763).

    Args:
        errors: [N] non-negative; inf or NaN where an estimate failed.
        thresholds: Where the areas end, in the unit of the errors.

    Returns:
        One area for each threshold, as a fraction of the largest, in [0, 1]; NaN without any
        error.
    """
    errors = np.sort(np.asarray(errors, dtype=np.float64))  # NaN last
    if len(errors) == 0:
        return [float("nan")] * len(thresholds)
    below = np.arange(len(errors) + 1) / len(errors)
    errors = np.concatenate([[0.0], errors])
    areas = []
    for threshold in thresholds:
        number = np.searchsorted(errors, threshold)
        x = np.append(errors[:number], threshold)
        y = np.append(below[:number], below[number - 1])
        areas.append(float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / threshold))
    return areas


def precision_at(errors: np.ndarray, threshold: float) -> float:
    """Return the share in [0, 1] of errors [N] below a threshold; 0 without any error."""
    return float(np.mean(errors < threshold)) if len(errors) else 0.0


def relative_pose_error(
    R_estimated: np.ndarray, t_estimated: np.ndarray, R_true: np.ndarray, t_true: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles between two relative poses.

    The direction of a translation is known up to its sign only, so its angle is at most 90
    degrees. Benchmarks take the larger of both angles as the error of a pose.

    Args:
        R_estimated: [..., 3, 3].
        t_estimated: [..., 3], of any length.
        R_true: [..., 3, 3].
        t_true: [..., 3]; where it is zero, any direction is right.

    Returns:
        The rotation errors [...] in [0, 180] and the translation errors [...] in [0, 90],
        degrees in float64.
    """
    R_estimated, R_true = np.asarray(R_estimated, np.float64), np.asarray(R_true, np.float64)
    t_estimated, t_true = np.asarray(t_estimated, np.float64), np.asarray(t_true, np.float64)
    cosine = ((R_estimated * R_true).sum((-1, -2)) - 1) / 2  # trace(R_estimated' R_true)
    rotation = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    length, product = np.linalg.norm(t_true, axis=-1), abs((t_estimated * t_true).sum(-1))
    lengths = length * np.linalg.norm(t_estimated, axis=-1)
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    translation = np.degrees(np.arccos(np.minimum(cosine, 1)))
    return rotation, np.where(length > 0, translation, 0.0)


def symmetric_homography_error(points0: Array, points1: Array, H_0to1: Array) -> Array:
    """Return how far matches are from a homography.

    Args:
        points0: [..., N, 2] px.
        points1: [..., N, 2] px, the partners.
        H_0to1: [..., 3, 3].

    Returns:
        [..., N] px, the mean of the distances in both images.
    """
    H_1to0 = torch.linalg.inv(H_0to1) if isinstance(H_0to1, Tensor) else np.linalg.inv(H_0to1)
    forward = transform_points(H_0to1, points0) - points1
    backward = transform_points(H_1to0, points1) - points0
    return ((forward**2).sum(-1) ** 0.5 + (backward**2).sum(-1) ** 0.5) / 2


@torch.no_grad()
def symmetric_reprojection_error(
    points0: Tensor, points1: Tensor, pair: DepthPair, *, config: GroundTruthConfig | None = None
) -> Tensor:
    """Return how far matches are from each other when carried through depth.

    Args:
        points0: [B, N, 2] px.
        points1: [B, N, 2] px, the partners.
        pair: The two images.
        config: Its ``glue_factory_numerics`` apply.

    Returns:
        [B, N] px, the mean of the distances in both images; NaN where the depth of either
        point is unknown. Occlusion is not considered.

    Raises:
        ShapeError: If a shape does not fit.
    """
    config = config or GroundTruthConfig()
    arrays = {"points0": points0, "points1": points1, "pair.K0": pair.K0}
    specs = {"points0": "B N 2", "points1": "B N 2", "pair.K0": "B 3 3"}
    check_shapes("reprojection error", arrays, specs)
    forward = reproject_by_depth(points0, pair, config=config).positions - points1
    backward = reproject_by_depth(points1, pair.reversed(), config=config).positions - points0
    return (forward.norm(dim=-1) + backward.norm(dim=-1)) / 2
