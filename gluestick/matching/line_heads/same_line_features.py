"""What is known about whether two segments are parts of one line."""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.candidate_pairs import LinePairs, candidate_mask
from gluestick.matching.line_heads.endpoints import endpoint_line_scores
from gluestick.matching.line_heads.epipolar_overlap import (
    epipolar_channels,
    fit_fundamental_matrix,
)
from gluestick.matching.line_heads.guidance import (
    Agreement,
    CarriedLines,
    PointMatches,
    carry_lines,
    compare_segments,
    in_units,
)
from gluestick.matching.line_heads.guided import (
    NUM_FEATURES,
    agreement_channels,
    ordered,
    resemblance_channels,
    trust_channels,
)
from gluestick.matching.line_heads.neighbour_sides import (
    Neighbours,
    find_neighbours,
    side_channels,
)
from gluestick.matching.line_heads.side_appearance import (
    NUM_APPEARANCE_FEATURES,
    appearance_channels,
)
from gluestick.precision import at_least_single, without_autocast
from gluestick.types import Wireframe

NUM_OWN_FEATURES = 26 + NUM_APPEARANCE_FEATURES
NUM_SAME_LINE_FEATURES = NUM_FEATURES + NUM_OWN_FEATURES
_PAIRS_AT_ONCE = 262_144
"""Pairs of lines compared in one go, which bounds the memory."""

_SIMILARITY_SCALE, _SIMILARITY_OFFSET = 20.0, 2.0
_TYPICAL_LENGTH = 40.0
_TINY = 1e-6


class PairFeatures(NamedTuple):
    """Pairs of lines that may be parts of one line.

    Attributes:
        pairs: Which pairs, K of them.
        features: [K, 57], numbers of the order of 1.
    """

    pairs: LinePairs
    features: Tensor


class _Side(NamedTuple):
    """The lines of one image, and what is known about them."""

    lines: Tensor
    mask: Tensor
    junctions: Tensor
    carried: CarriedLines
    neighbours: Neighbours
    colors: Tensor

    def rows(self, first: int, last: int) -> "_Side":
        """Return some of the lines."""
        return _Side(
            self.lines[:, first:last],
            self.mask[:, first:last],
            self.junctions[:, first:last],
            CarriedLines(*(value[:, :, first:last] for value in self.carried)),
            Neighbours(*(value[:, first:last] for value in self.neighbours)),
            self.colors[:, first:last],
        )


def same_line_features(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    endpoint_similarity: Tensor,
    matches: PointMatches,
) -> PairFeatures:
    """Describe the pairs of lines that may be parts of one line.

    The numbers are the same if the images or the endpoints of a line are exchanged.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions. Gradients reach nothing else.
        matches: The matches that guide the lines.

    Returns:
        The pairs and their features, in single precision at least.

    Raises:
        ValueError: If a wireframe was made without ``side_colors``.
    """
    endpoint_similarity = at_least_single(endpoint_similarity)
    similarity = endpoint_line_scores(
        endpoint_similarity, wireframe0.line_junctions, wireframe1.line_junctions
    )
    resemblance = resemblance_channels(similarity, wireframe0.line_mask, wireframe1.line_mask)
    with torch.no_grad(), without_autocast(similarity.device):
        side0 = _side(wireframe0, matches)
        side1 = _side(wireframe1, matches.swapped())
        geometry = _Geometry(matches, *fit_fundamental_matrix(matches))
    found: list[PairFeatures] = []
    at_once = max(_PAIRS_AT_ONCE // max(similarity.shape[2], 1), 1)
    for first in range(0, max(similarity.shape[1], 1), at_once):
        rows = slice(first, first + at_once)
        part = side0.rows(first, first + at_once)
        with torch.no_grad(), without_autocast(similarity.device):
            forth = compare_segments(part.carried.lines, side1.lines[:, None])
            back = compare_segments(side1.carried.lines, part.lines[:, None])
            chosen = candidate_mask(
                forth, back, similarity[:, rows].detach(), part.mask, side1.mask
            )
            pairs = LinePairs(*chosen.nonzero(as_tuple=True))
            direction = _directions(part, side1, pairs)
            channels = [
                *_guidance(forth, back, pairs, direction),
                *(pairs.take(value) for value in trust_channels(part.carried, side1.carried)),
                *_shapes(part, side1, pairs),
                *_epipolar(part, side1, pairs, geometry),
                *_sides(part, side1, pairs, direction),
                *_situation(geometry, pairs),
                *_appearance(part, side1, pairs, direction),
            ]
        alike = [pairs.take(channel[:, rows]) for channel in resemblance]
        alike += _endpoints(endpoint_similarity, part, side1, pairs, direction)
        features = torch.stack([*alike, *channels], dim=1)
        found.append(PairFeatures(pairs._replace(line0=pairs.line0 + first), features))
    joined = LinePairs(
        *(torch.cat(values) for values in zip(*(part.pairs for part in found), strict=True))
    )
    return PairFeatures(joined, torch.cat([part.features for part in found]))


class _Geometry(NamedTuple):
    """What is known about the points of each pair of images."""

    matches: PointMatches
    F: Tensor
    support: Tensor


def _side(wireframe: Wireframe, matches: PointMatches) -> _Side:
    if wireframe.side_colors is None:
        raise ValueError(
            "the line head same_line needs the colours beside the lines, and the wireframe has "
            "none: extract it with features.side_colors=true, as the models with this head do"
        )
    lines = in_units(wireframe.detected_lines, wireframe)
    return _Side(
        lines,
        wireframe.line_mask,
        wireframe.line_junctions,
        carry_lines(lines, matches),
        find_neighbours(lines, matches),
        at_least_single(wireframe.side_colors),
    )


def _steps(lines: Tensor) -> Tensor:
    return lines[..., 1, :] - lines[..., 0, :]


def _directions(side0: _Side, side1: _Side, pairs: LinePairs) -> Tensor:
    """[K], 1 where the lines of a pair run the same way, and -1 where they do not."""
    carried0 = _steps(pairs.of0(side0.carried.lines[:, 0]))
    carried1 = _steps(pairs.of1(side1.carried.lines[:, 0]))
    steps0, steps1 = _steps(pairs.of0(side0.lines)), _steps(pairs.of1(side1.lines))
    cosine = _cosine(carried0, steps1) + _cosine(carried1, steps0)
    return torch.where(cosine < 0, -1.0, 1.0)


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    lengths = first.norm(dim=-1) * second.norm(dim=-1)
    return (first * second).sum(-1) / lengths.clamp(min=_TINY)


def _guidance(
    forth: Agreement, back: Agreement, pairs: LinePairs, direction: Tensor
) -> list[Tensor]:
    """Return how well the lines agree, with left compared to left where they run the same way."""
    image, line0, line1 = pairs
    ahead = Agreement(*(value[image, :, line0, line1] for value in forth))  # [K, 3]
    behind = Agreement(*(value[image, :, line1, line0] for value in back))
    order = torch.tensor([0, 2, 1], device=direction.device)
    backwards = (direction < 0)[:, None]
    behind = Agreement(*(torch.where(backwards, value[:, order], value) for value in behind))
    values = agreement_channels(
        Agreement(*(value.T[None, :, :, None] for value in ahead)),
        Agreement(*(value.T[None, :, None] for value in behind)),
    )
    return [value[0, :, 0] for value in values]


def _epipolar(side0: _Side, side1: _Side, pairs: LinePairs, geometry: _Geometry) -> list[Tensor]:
    return epipolar_channels(
        pairs.of0(side0.lines),
        pairs.of1(side1.lines),
        geometry.F[pairs.image],
        geometry.support[pairs.image],
    )


def _appearance(side0: _Side, side1: _Side, pairs: LinePairs, direction: Tensor) -> list[Tensor]:
    return appearance_channels(pairs.of0(side0.colors), pairs.of1(side1.colors), direction)


def _shapes(side0: _Side, side1: _Side, pairs: LinePairs) -> list[Tensor]:
    """Return lengths, angles to the carried lines, and distances of carried endpoints."""
    lines0, lines1 = pairs.of0(side0.lines), pairs.of1(side1.lines)
    carried0 = pairs.of0(side0.carried.lines[:, 0])
    carried1 = pairs.of1(side1.carried.lines[:, 0])
    lengths = [
        (_steps(lines).norm(dim=-1) / _TYPICAL_LENGTH).clamp(min=0.05).log()
        for lines in (lines0, lines1)
    ]
    angles = [
        (1 - _cosine(_steps(carried), _steps(lines)).abs()).clamp(min=0).sqrt() * 2
        for carried, lines in ((carried0, lines1), (carried1, lines0))
    ]
    best, worst = zip(
        _end_distances(carried0, lines1), _end_distances(carried1, lines0), strict=True
    )
    return [value for both in (lengths, angles, best, worst) for value in ordered(both[0], both[1])]


def _end_distances(carried: Tensor, lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the nearer and the farther of two carried ends are from those of lines."""
    between = (carried[:, :, None] - lines[:, None]).norm(dim=-1)  # [K, 2, 2]
    same = torch.stack([between[:, 0, 0], between[:, 1, 1]], dim=1)
    swapped = torch.stack([between[:, 0, 1], between[:, 1, 0]], dim=1)
    better = torch.where((same.sum(1) <= swapped.sum(1))[:, None], same, swapped)
    return better.amin(1).log1p() / 2 - 1, better.amax(1).log1p() / 2 - 1


def _sides(side0: _Side, side1: _Side, pairs: LinePairs, direction: Tensor) -> list[Tensor]:
    around0 = Neighbours(*(pairs.of0(value) for value in side0.neighbours))
    around1 = Neighbours(*(pairs.of1(value) for value in side1.neighbours))
    forth = side_channels(around0, pairs.of1(side1.lines), direction)
    back = side_channels(around1, pairs.of0(side0.lines), direction)
    return [value for both in zip(forth, back, strict=True) for value in ordered(*both)]


def _situation(geometry: _Geometry, pairs: LinePairs) -> list[Tensor]:
    """Return how many matches there are, and how many follow one epipolar geometry."""
    total = geometry.matches.weights.sum(1)
    agreeing = geometry.support.to(total.dtype)
    values = (total / 200).log1p(), agreeing / total.clamp(min=1)
    return [value[pairs.image] for value in values]


def _endpoints(
    similarity: Tensor, side0: _Side, side1: _Side, pairs: LinePairs, direction: Tensor
) -> list[Tensor]:
    """Return how alike the endpoints are that must be the same, given how the lines run."""
    if 0 in similarity.shape[1:]:
        empty = similarity.new_zeros(len(direction))
        return [empty, empty, empty, empty]
    first0, last0 = pairs.of0(side0.junctions).unbind(1)
    first1, last1 = pairs.of1(side1.junctions).unbind(1)
    same = torch.stack(
        [similarity[pairs.image, first0, first1], similarity[pairs.image, last0, last1]]
    )
    swapped = torch.stack(
        [similarity[pairs.image, first0, last1], similarity[pairs.image, last0, first1]]
    )
    forwards = direction > 0
    ours, others = torch.where(forwards, same, swapped), torch.where(forwards, swapped, same)
    return [
        ours.amin(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
        ours.amax(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
        ((ours.sum(0) - others.sum(0)) / _SIMILARITY_SCALE).clamp(-4, 4),
        others.amax(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
    ]
