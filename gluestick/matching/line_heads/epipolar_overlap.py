"""How much of two segments can be the same by the epipolar geometry of the matched points.

The epipolar lines of a segment's ends cut the line of its partner in the ends of what both see.
On a plane many fundamental matrices fit the matches, and each of them carries points of the
plane rightly, so it does not matter which one is found. Lengths are in units of 1/640 of the
longer side of an image.
"""

import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import PointMatches

_SCALES = (30.0, 15.0, 8.0, 4.0, 2.5, 2.5)
"""The distances at which a match loses half of its influence, fit after fit."""

_ENOUGH_MATCHES = 12.0
_REACH = 2.0
_TINY = 1e-9


def fit_fundamental_matrix(matches: PointMatches) -> tuple[Tensor, Tensor]:
    """Fit a fundamental matrix to weighted matches.

    The eight-point algorithm with normalised positions (Hartley 1997), again and again with
    weights that fall with the Sampson distance, and with a falling scale.

    Args:
        matches: K matches for each of B pairs.

    Returns:
        The matrices [B, 3, 3] float64, from image 0 to image 1, and the summed weights [B] of
        the matches that agree with them.
    """
    weights = matches.weights.double()
    x0, T0 = _normalized(matches.positions0.double(), weights)
    x1, T1 = _normalized(matches.positions1.double(), weights)
    rows = (x1[..., :, None] * x0[..., None, :]).flatten(2)  # [B, K, 9]
    homogeneous0, homogeneous1 = _homogeneous(matches.positions0), _homogeneous(matches.positions1)
    own = weights
    for scale in _SCALES:
        moment = (rows * own[..., None]).mT @ rows
        moment = moment + _TINY * torch.eye(9, dtype=moment.dtype, device=moment.device)
        smallest = torch.linalg.eigh(moment).eigenvectors[..., 0]
        F = T1.mT @ smallest.view(-1, 3, 3) @ T0
        lines1, lines0 = homogeneous0 @ F.mT, homogeneous1 @ F
        residual = (homogeneous1 * lines1).sum(-1) ** 2
        slope = (lines1[..., :2] ** 2).sum(-1) + (lines0[..., :2] ** 2).sum(-1)
        squared = residual / slope.clamp(min=torch.finfo(slope.dtype).tiny)
        own = weights / (1 + squared / scale**2) ** 2
    F = F / F.flatten(1).norm(dim=1).clamp(min=torch.finfo(F.dtype).tiny)[:, None, None]
    return F, own.sum(1)


def epipolar_channels(lines0: Tensor, lines1: Tensor, F: Tensor, support: Tensor) -> list[Tensor]:
    """Compare pairs of segments by an epipolar geometry.

    Args:
        lines0: [K, 2, 2], segments of image 0.
        lines1: [K, 2, 2], as many of image 1.
        F: [K, 3, 3], the fundamental matrix of each pair.
        support: [K], the summed weights of the matches it is fitted to.

    Returns:
        Four numbers [K] for each pair: the smaller and the larger of the overlaps over the
        union, measured in both images, and of the sines of the angles at which the epipolar
        lines cut the segments, without which an overlap says nothing. All are 0 where there are
        too few matches.
    """
    forth, angle1 = _overlap(lines0.double(), lines1.double(), F)
    back, angle0 = _overlap(lines1.double(), lines0.double(), F.mT)
    trust = (support / _ENOUGH_MATCHES).clamp(max=1)
    return [
        (trust * value).to(lines0.dtype)
        for first, second in ((forth, back), (angle0, angle1))
        for value in (torch.minimum(first, second), torch.maximum(first, second))
    ]


def _overlap(lines: Tensor, others: Tensor, F: Tensor) -> tuple[Tensor, Tensor]:
    """Return the overlap over the union [K] on the other segments, and the sine [K] there."""
    epipolar = _homogeneous(lines) @ F.mT  # [K, 2, 3]
    start, step = others[:, 0], others[:, 1] - others[:, 0]
    length = step.norm(dim=-1).clamp(min=_TINY)
    slope = (epipolar[..., :2] * step[:, None]).sum(-1)  # [K, 2]
    normal = epipolar[..., :2].norm(dim=-1)
    value = (epipolar[..., :2] * start[:, None]).sum(-1) + epipolar[..., 2]
    sine = slope.abs() / (normal * length[:, None]).clamp(min=torch.finfo(normal.dtype).tiny)
    safe = torch.where(slope.abs() < torch.finfo(slope.dtype).tiny, 1.0, slope)
    cut = (-value / safe).clamp(-_REACH, 1 + _REACH)  # [K, 2], as a share of the segment
    first, last = cut.amin(1), cut.amax(1)
    common = (last.clamp(max=1) - first.clamp(min=0)).clamp(min=-1)
    union = last.clamp(min=1) - first.clamp(max=0)
    return common / union, sine.amin(1).clamp(max=1)


def _normalized(positions: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return homogeneous positions [B, K, 3] of mean 0 and size 1, and the maps [B, 3, 3] to it."""
    total = weights.sum(1).clamp(min=_TINY)[:, None]
    mean = (positions * weights[..., None]).sum(1) / total  # [B, 2]
    squared = ((positions - mean[:, None]) ** 2).sum(-1)
    scale = 1 / ((squared * weights).sum(1) / total[:, 0] + 1).sqrt()  # [B]
    T = torch.zeros(len(positions), 3, 3, dtype=positions.dtype, device=positions.device)
    T[:, 0, 0] = T[:, 1, 1] = scale
    T[:, :2, 2] = -scale[:, None] * mean
    T[:, 2, 2] = 1
    return _homogeneous(positions) @ T.mT, T


def _homogeneous(positions: Tensor) -> Tensor:
    positions = positions.double()
    return torch.cat([positions, torch.ones_like(positions[..., :1])], dim=-1)
