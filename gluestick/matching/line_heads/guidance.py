"""Where a line must lie in the other image, by the matched keypoints around it.

Endpoints of lines are often not repeated, but the points around a line are. Around each line a
local affine map is fitted to the nearest matches and carries the line into the other image, where
it can be compared with the lines found there. Lengths here are in units of 1/640 of the longer
side of an image, in which thresholds are like pixels of a small photograph.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.linear_systems import solve_ridge
from gluestick.geometry.lines import line_lengths
from gluestick.matching.assignment import MutualMatches, mutual_matches
from gluestick.types import Wireframe

UNITS_PER_SIDE = 640.0
MIN_MATCH_SCORE = 0.1
NUM_NEIGHBOURS = 12
_RADIUS = 120.0
"""How far away the neighbours of a line may be."""

_HALF_WEIGHT = 10.0
"""The distance from the line at which a neighbour has half its weight."""

_REACH = 50.0
"""The length over which deviations of a local map from the global one are measured."""

_NOISE = 4.0
"""The residual at which a match has half its weight when a local map is fitted again."""

_GLOBAL_NOISE = 20.0
_NUM_FITS = 4
_NUM_GLOBAL_FITS = 8
_STIFFNESS = (0.5, 0.5, 0.05)
"""How strongly, against the weights of the neighbours, the linear part and the shift of a local
map are held at those of the global one."""

_TINY = 1e-6


class PointMatches(NamedTuple):
    """Matched nodes of a batch of pairs.

    Attributes:
        positions0: [B, K, 2].
        positions1: [B, K, 2].
        weights: [B, K] in [0, 1], how much each is trusted; 0 for what is not matched.
    """

    positions0: Tensor
    positions1: Tensor
    weights: Tensor

    def swapped(self) -> "PointMatches":
        """Return the matches from image 1 to image 0."""
        return PointMatches(self.positions1, self.positions0, self.weights)

    def without_unmatched(self) -> "PointMatches":
        """Return the matches alone, in their order, as many as the pair that has most."""
        matched = self.weights > 0
        number = int(matched.sum(1).max()) if len(matched) else 0
        index = matched.byte().argsort(dim=1, descending=True, stable=True)[:, :number]
        places = index[..., None].expand(-1, -1, 2)
        return PointMatches(
            self.positions0.gather(1, places),
            self.positions1.gather(1, places),
            self.weights.gather(1, index),
        )


class NearMatches(NamedTuple):
    """The matches nearest to lines: among all, those on the left, and those on the right.

    Attributes:
        distance: [B, 3, L, N], nearest first; infinite where there is no further match.
        indices: [B, 3, L, N] int64, which of the matches.
    """

    distance: Tensor
    indices: Tensor

    def first(self, number: int) -> "NearMatches":
        """Return the nearest of them."""
        return NearMatches(self.distance[..., :number], self.indices[..., :number])


class CarriedLines(NamedTuple):
    """Lines as they must lie in the other image.

    Attributes:
        lines: [B, 3, L, 2, 2], by all neighbours, those on the left and those on the right.
        support: [B, 3, L], the summed weight of the neighbours.
        spread: [B, 3, L], their mean residual.
    """

    lines: Tensor
    support: Tensor
    spread: Tensor


class Agreement(NamedTuple):
    """How far segments lie on others.

    Attributes:
        distance: [..., L, M], the mean distance of the common part from the other's line.
        share: [..., L, M], the common part over the segment's length; where there is none,
            minus the gap over the length.
        other_share: [..., L, M], the same over the other segment's length.
    """

    distance: Tensor
    share: Tensor
    other_share: Tensor


def in_units(positions: Tensor, wireframe: Wireframe) -> Tensor:
    """Convert positions [B, ..., 2] from pixels to units of their images."""
    unit = wireframe.image_size.amax(1).to(positions.dtype) / UNITS_PER_SIDE
    return positions / unit.view(-1, *(1 for _ in positions.shape[1:]))


@torch.no_grad()
def point_matches(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    log_assignment: Tensor,
    mutual: MutualMatches | None = None,
) -> PointMatches:
    """Return the matches of the nodes of two batches of wireframes.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        log_assignment: [B, P0+1, P1+1], between their nodes.
        mutual: The matches that follow from it, with a threshold of 0; None to find them.

    Returns:
        A match for each of the P0 nodes of image 0.
    """
    mutual = (mutual or mutual_matches(log_assignment, threshold=0.0)).above(MIN_MATCH_SCORE)
    matched = mutual.matches0 > -1
    positions1 = in_units(wireframe1.keypoints, wireframe1)
    if positions1.shape[1] == 0:
        positions1 = positions1.new_zeros(len(positions1), 1, 2)
    partners = mutual.matches0.clamp(min=0)[..., None].expand(-1, -1, 2)
    return PointMatches(
        positions0=in_units(wireframe0.keypoints, wireframe0),
        positions1=positions1.gather(1, partners),
        weights=(mutual.scores0 * matched).to(positions1),
    )


def find_near_matches(
    lines: Tensor, matches: PointMatches, *, number: int = NUM_NEIGHBOURS
) -> NearMatches:
    """Find the matches around the lines of image 0.

    Args:
        lines: [B, L, 2, 2], in units of image 0.
        matches: The matches.
        number: How many are wanted.

    Returns:
        As many, or all that there are.
    """
    squared, side = _from_lines(lines, matches.positions0)
    squared = _where_positive(squared, _RADIUS**2 - squared)
    squared = _where_positive(squared, matches.weights[:, None])
    kinds = [squared, _where_positive(squared, side), _where_positive(squared, -side)]
    found = [_least(kind, number=min(number, squared.shape[-1])) for kind in kinds]
    values, indices = (torch.stack(kind, dim=1) for kind in zip(*found, strict=True))
    return NearMatches(values.sqrt(), indices)


def carry_lines(
    lines: Tensor, matches: PointMatches, near: NearMatches | None = None
) -> CarriedLines:
    """Carry lines from image 0 into image 1.

    Each local map is fitted to the weighted matches by re-weighted least squares, with Cauchy
    weights of the residuals and a ridge that holds it at the global map where there are few.

    Args:
        lines: [B, L, 2, 2], in units of image 0.
        matches: The matches.
        near: Those around the lines, at least 12 for each if there are as many; None to find
            them.

    Returns:
        The lines in units of image 1. Without any match they stay where they are.
    """
    distance, index = (near or find_near_matches(lines, matches)).first(NUM_NEIGHBOURS)
    distance, places = distance.movedim(3, 0), index.movedim(3, 1)  # [N, B, 3, L] and [B, N, ...]
    coarse = _fit_global_map(matches)
    flat = places.flatten(1)

    def gather(values: Tensor) -> Tensor:
        """[B, K] -> [N, B, 3, L]."""
        return values.gather(1, flat).view(places.shape).movedim(1, 0)

    middles = lines.mean(2)  # [B, L, 2]
    sides = zip(matches.positions0.unbind(-1), middles.unbind(-1), strict=True)
    x, y = ((gather(values) - middle[:, None]) / _REACH for values, middle in sides)
    bent = matches.positions1 - _apply(coarse, matches.positions0)
    targets = torch.stack([*map(gather, bent.unbind(-1))])  # [2, N, B, 3, L]
    terms = torch.stack([x, y, torch.ones_like(x)])  # [3, N, B, 3, L]
    own = gather(matches.weights) * (_HALF_WEIGHT / (_HALF_WEIGHT + distance))
    both = torch.cat([terms, targets])
    weights = own
    for _ in range(_NUM_FITS):
        moments = ((terms * weights)[:, None] * both).sum(2)  # [3, 5, B, 3, L]
        moments = moments.movedim((0, 1), (3, 4))
        bend = solve_ridge(moments[..., :3], moments[..., 3:], ridge=_STIFFNESS)
        bends = bend.movedim((3, 4), (0, 1))[:, :, None]  # [3, 2, 1, B, 3, L]
        across, down = targets - (terms[:, None] * bends).sum(0)
        squared = across**2 + down**2
        weights = own / (1 + squared / _NOISE**2)
    ends = _apply(coarse, lines.flatten(1, 2)).view_as(lines)[:, None]
    support = weights.sum(0)
    return CarriedLines(
        lines=ends + _terms(lines[:, None] - middles[:, None, :, None]) @ bend,
        support=support,
        spread=(weights * squared.sqrt()).sum(0) / support.clamp(min=_TINY),
    )


def compare_segments(segments: Tensor, others: Tensor) -> Agreement:
    """Compare segments with others in the same image.

    Args:
        segments: [..., L, 2, 2].
        others: [..., M, 2, 2], with the same or broadcastable leading sizes.

    Returns:
        How far each segment lies on each other.
    """
    others = others.unsqueeze(-4)  # [..., 1, M, 2, 2]
    lengths = line_lengths(others).clamp(min=_TINY)  # [..., 1, M]
    frames = LineFrames.of(others, length=lengths)
    along, across = frames.coordinates_of_all(segments.movedim(-2, -3))  # [..., 2, L, M]
    return _agreement(
        along.unbind(-3), across.unbind(-3), line_lengths(segments)[..., None], lengths
    )


def compare_one_by_one(segments: Tensor, others: Tensor) -> Agreement:
    """Compare segments with as many others in the same image, one with one.

    Args:
        segments: [2, 2, N, K], N segments for each other one, end and coordinate first.
        others: [2, 2, K].

    Returns:
        How far each segment lies on its other, [N, K].
    """
    start, step = others[0], others[1] - others[0]
    length = lengths(step).clamp(min=_TINY)
    dx, dy = step / length
    x, y = (segments - start[:, None]).unbind(1)  # [2, N, K]
    along, across = x * dx + y * dy, y * dx - x * dy
    return _agreement(along.unbind(), across.unbind(), lengths(segments[1] - segments[0]), length)


def lengths(vectors: Tensor) -> Tensor:
    """Return the lengths [...] of vectors [2, ...], x and y first."""
    x, y = vectors
    return (x * x + y * y).sqrt()  # a norm over so few numbers takes ten times as long


def _agreement(
    along: tuple[Tensor, ...], across: tuple[Tensor, ...], own_lengths: Tensor, lengths: Tensor
) -> Agreement:
    """Compare segments, of whose both ends the coordinates are given, with those of ``lengths``."""
    first, last = torch.minimum(*along), torch.maximum(*along)
    low, high = first.clamp(min=0).minimum(lengths), last.clamp(min=0).minimum(lengths)
    slope = (across[1] - across[0]) / _away_from_zero(along[1] - along[0])

    def offset(at: Tensor) -> Tensor:
        inside = torch.minimum(torch.maximum(at, first), last)
        return (across[0] + slope * (inside - along[0])).abs()

    common = torch.minimum(last, lengths) - first.clamp(min=0)
    return Agreement(
        distance=(offset(low) + offset(high)) / 2,
        share=common / own_lengths.clamp(min=_TINY),
        other_share=common / lengths,
    )


def _where_positive(values: Tensor, test: Tensor) -> Tensor:
    """Return what is not negative where the test is positive, and infinity elsewhere.

    On a CPU it takes a tenth of the time of ``torch.where``.
    """
    if _is_traced():  # ONNX has thresholds of 0 alone
        return torch.where(test > 0, values, torch.inf)
    return values.maximum(-F.threshold(test, 0.0, -torch.inf))


def _least(values: Tensor, *, number: int) -> tuple[Tensor, Tensor]:
    """Return the least of values [..., K] that are not negative, [..., N], and where they are."""
    if values.dtype != torch.float32 or _is_traced():  # ONNX has no view of numbers as others
        found = values.topk(number, largest=False)
        return found.values, found.indices
    found = values.view(torch.int32).topk(number, largest=False)  # in the same order, but faster
    return found.values.view(torch.float32), found.indices


def _is_traced() -> bool:
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined]
    return tracing or torch.compiler.is_compiling()


def _from_lines(lines: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared distances of points [B, K, 2] from segments, and their sides: [B, L, K].

    Coordinates are kept apart, since sums over two numbers take longer than all the rest.
    """
    dx, dy = (lines[:, :, 1] - lines[:, :, 0])[:, :, None].unbind(-1)  # [B, L, 1]
    (x0, y0), (x, y) = lines[:, :, :1].unbind(-1), points[:, None].unbind(-1)
    x, y = x - x0, y - y0  # [B, L, K]
    squared = (dx**2 + dy**2).clamp(min=torch.finfo(dx.dtype).tiny)
    along = (x * dx).addcmul_(y, dy).div_(squared).clamp_(0, 1)
    side = (x * dy).sub_(y * dx)  # not fused, so that the ends of a line are on neither side
    x.addcmul_(along, dx, value=-1)
    y.addcmul_(along, dy, value=-1)
    return x.square_().addcmul_(y, y), side


def _fit_global_map(matches: PointMatches) -> Tensor:
    """Fit an affine map [B, 3, 2] from image 0 to image 1, held at a shift where it is weak."""
    total = matches.weights.sum(1).clamp(min=_TINY)[:, None]
    mean0, mean1 = (
        (positions * matches.weights[..., None]).sum(1) / total for positions in matches[:2]
    )
    terms = _terms(matches.positions0 - mean0[:, None])
    targets = matches.positions1 - mean1[:, None]
    held = _STIFFNESS[0] * _REACH * torch.eye(3, 2, dtype=terms.dtype, device=terms.device)
    both = torch.cat([terms, targets], dim=-1)  # [B, K, 5]
    weights = matches.weights
    for _ in range(_NUM_GLOBAL_FITS):
        moments = torch.bmm((terms * weights[..., None]).mT, both)
        linear = solve_ridge(moments[..., :3], moments[..., 3:] + held, ridge=_STIFFNESS)
        x, y = (targets - torch.bmm(terms, linear)).unbind(-1)
        weights = matches.weights / (1 + (x**2 + y**2) / _GLOBAL_NOISE**2)
    slope = linear[:, :2] / _REACH
    start = linear[:, 2:] + mean1[:, None] - mean0[:, None] @ slope
    return torch.cat([slope, start], dim=1)


def _terms(offsets: Tensor) -> Tensor:
    """[..., 2] -> [..., 3], what an affine map multiplies."""
    scaled = offsets / _REACH
    return torch.cat([scaled, torch.ones_like(scaled[..., :1])], dim=-1)


def _apply(affine: Tensor, points: Tensor) -> Tensor:
    """Map points [B, K, 2] by affine maps [B, 3, 2]."""
    return points @ affine[:, :2] + affine[:, 2:]


def _away_from_zero(values: Tensor) -> Tensor:
    return torch.where(values.abs() < _TINY, torch.full_like(values, _TINY), values)
