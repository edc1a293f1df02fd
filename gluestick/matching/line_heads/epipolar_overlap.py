"""How much of two segments can be the same by the epipolar geometry of the matched points.

The epipolar lines of a segment's ends cut the line of its partner in the ends of what both see.
On a plane many fundamental matrices fit the matches, and each of them carries points of the
plane rightly, so it does not matter which one is found. Lengths are in units of 1/640 of the
longer side of an image.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.candidate_pairs import LinePairs
from gluestick.matching.line_heads.guidance import PointMatches

_SCALES = (30.0, 15.0, 8.0, 4.0, 2.5, 2.5)
"""The distances at which a match loses half of its influence, fit after fit."""

_ENOUGH_MATCHES = 12.0
_REACH = 2.0
_TINY = 1e-9


class EpipolarGeometry(NamedTuple):
    """Fundamental matrices of a batch of pairs.

    Attributes:
        F: [B, 3, 3] float64, from image 0 to image 1.
        support: [B], the summed weights of the matches that agree with them.
    """

    F: Tensor
    support: Tensor


def smallest_eigenvectors(symmetric: Tensor) -> Tensor:
    """Return the eigenvectors [B, N] of the smallest eigenvalues of matrices [B, N, N]."""
    return torch.linalg.eigh(symmetric).eigenvectors[..., 0]


def fit_fundamental_matrix(
    matches: PointMatches,
    *,
    smallest_eigenvectors: Callable[[Tensor], Tensor] = smallest_eigenvectors,
) -> EpipolarGeometry:
    """Fit a fundamental matrix to weighted matches.

    The eight-point algorithm with normalised positions (Hartley 1997), again and again with
    weights that fall with the Sampson distance, and with a falling scale.

    Args:
        matches: K matches for each of B pairs.
        smallest_eigenvectors: What solves the least-squares problems.
    """
    weights = matches.weights.double()
    x0, T0 = _normalized(matches.positions0.double(), weights)
    x1, T1 = _normalized(matches.positions1.double(), weights)
    rows = (x1[..., :, None] * x0[..., None, :]).flatten(2)  # [B, K, 9]
    homogeneous0, homogeneous1 = _homogeneous(matches.positions0), _homogeneous(matches.positions1)
    least = _TINY * torch.eye(9, dtype=rows.dtype, device=rows.device)
    tiny = torch.finfo(rows.dtype).tiny
    own = weights
    for scale in _SCALES:
        moment = torch.bmm((rows * own[..., None]).mT, rows) + least
        F = torch.bmm(torch.bmm(T1.mT, smallest_eigenvectors(moment).view(-1, 3, 3)), T0)
        a1, b1, c1 = torch.bmm(homogeneous0, F.mT).unbind(-1)
        a0, b0, _ = torch.bmm(homogeneous1, F).unbind(-1)
        x, y, _ = homogeneous1.unbind(-1)
        slope = a1**2 + b1**2 + a0**2 + b0**2
        squared = (x * a1 + y * b1 + c1) ** 2 / slope.clamp(min=tiny)
        own = weights / (1 + squared / scale**2) ** 2
    F = F / F.flatten(1).norm(dim=1).clamp(min=torch.finfo(F.dtype).tiny)[:, None, None]
    return EpipolarGeometry(F, own.sum(1))


def epipolar_channels(
    lines0: Tensor, lines1: Tensor, pairs: LinePairs, geometry: EpipolarGeometry
) -> list[Tensor]:
    """Compare pairs of segments by an epipolar geometry.

    Args:
        lines0: [2, 2, B, L0], segments of image 0, end and coordinate first.
        lines1: [2, 2, B, L1], of image 1.
        pairs: Which of them are compared, K pairs.
        geometry: That of each pair of images.

    Returns:
        Four numbers [K] for each pair: the smaller and the larger of the overlaps over the
        union, measured in both images, and of the sines of the angles at which the epipolar
        lines cut the segments, without which an overlap says nothing. All are 0 where there are
        too few matches.
    """
    epipolar1 = _epipolar_lines(lines0, geometry.F)  # [3, 2, B, L0], in image 1
    epipolar0 = _epipolar_lines(lines1, geometry.F.mT)
    forth, angle1 = _overlap(pairs.of0(epipolar1), pairs.of1(lines1.double()))
    back, angle0 = _overlap(pairs.of1(epipolar0), pairs.of0(lines0.double()))
    trust = (geometry.support / _ENOUGH_MATCHES).clamp(max=1)[pairs.image]
    return [
        (trust * value).to(lines0.dtype)
        for first, second in ((forth, back), (angle0, angle1))
        for value in (torch.minimum(first, second), torch.maximum(first, second))
    ]


def _epipolar_lines(lines: Tensor, F: Tensor) -> Tensor:
    """Map ends of segments [2, 2, B, L] by matrices [B, 3, 3] to lines [3, 2, B, L]."""
    ends = _homogeneous(lines.permute(2, 0, 3, 1).flatten(1, 2))  # [B, 2 L, 3]
    mapped = torch.bmm(F, ends.mT)  # [B, 3, 2 L]
    return mapped.view(lines.shape[2], 3, 2, lines.shape[3]).permute(1, 2, 0, 3)


def _overlap(epipolar: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Cut segments [2, 2, K] by two lines [3, 2, K]: overlap over union [K], and the sine [K]."""
    a, b, c = epipolar  # [2, K]
    (x, y), (dx, dy) = segments[0], segments[1] - segments[0]
    tiny = torch.finfo(a.dtype).tiny
    slope = a * dx + b * dy
    length = (dx**2 + dy**2).sqrt().clamp(min=_TINY)
    sine = slope.abs() / ((a**2 + b**2).sqrt() * length).clamp(min=tiny)
    safe = torch.where(slope.abs() < tiny, 1.0, slope)
    cut = (-(a * x + b * y + c) / safe).clamp(-_REACH, 1 + _REACH)  # as a share of the segment
    first, last = torch.minimum(*cut), torch.maximum(*cut)
    common = (last.clamp(max=1) - first.clamp(min=0)).clamp(min=-1)
    union = last.clamp(min=1) - first.clamp(max=0)
    return common / union, torch.minimum(*sine).clamp(max=1)


def _normalized(positions: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return homogeneous positions [B, K, 3] of mean 0 and size 1, and the maps [B, 3, 3] to it."""
    total = weights.sum(1).clamp(min=_TINY)[:, None]
    mean = (positions * weights[..., None]).sum(1) / total  # [B, 2]
    squared = ((positions - mean[:, None]) ** 2).sum(-1)
    scale = 1 / ((squared * weights).sum(1) / total[:, 0] + 1).sqrt()  # [B]
    T = torch.zeros(positions.shape[0], 3, 3, dtype=positions.dtype, device=positions.device)
    T[:, 0, 0] = T[:, 1, 1] = scale
    T[:, :2, 2] = -scale[:, None] * mean
    T[:, 2, 2] = 1
    return _homogeneous(positions) @ T.mT, T


def _homogeneous(positions: Tensor) -> Tensor:
    positions = positions.double()
    return torch.cat([positions, torch.ones_like(positions[..., :1])], dim=-1)
