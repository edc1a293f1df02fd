"""What is known about whether two segments are parts of one line."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.candidate_pairs import (
    LinePairs,
    alike_pairs,
    is_near,
    possibly_near,
)
from gluestick.matching.line_heads.endpoints import endpoint_line_scores
from gluestick.matching.line_heads.epipolar_overlap import (
    EpipolarGeometry,
    epipolar_channels,
    fit_fundamental_matrix,
)
from gluestick.matching.line_heads.guidance import (
    Agreement,
    PointMatches,
    compare_one_by_one,
    lengths,
)
from gluestick.matching.line_heads.guided import (
    NUM_FEATURES,
    agreement_channels,
    best_similarities,
    compare_with_best,
    ordered,
)
from gluestick.matching.line_heads.line_context import LineContext, describe_lines
from gluestick.matching.line_heads.neighbour_sides import Neighbours, side_channels
from gluestick.matching.line_heads.side_appearance import (
    NUM_APPEARANCE_FEATURES,
    appearance_channels,
)
from gluestick.precision import at_least_single, without_autocast
from gluestick.types import Wireframe

NUM_OWN_FEATURES = 26 + NUM_APPEARANCE_FEATURES
NUM_SAME_LINE_FEATURES = NUM_FEATURES + NUM_OWN_FEATURES
PAIRS_AT_ONCE = 65_536
"""Pairs of lines compared in one go, which bounds the memory."""

_SIMILARITY_SCALE, _SIMILARITY_OFFSET = 20.0, 2.0


class PairFeatures(NamedTuple):
    """Pairs of lines that may be parts of one line.

    Attributes:
        pairs: Which pairs, K of them.
        features: [K, 57], numbers of the order of 1.
    """

    pairs: LinePairs
    features: Tensor


def same_line_features(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    endpoint_similarity: Tensor,
    matches: PointMatches,
) -> PairFeatures:
    """Describe all pairs of lines that may be parts of one line.

    Arguments and errors are those of :func:`describe_in_parts`.
    """
    parts = [*describe_in_parts(wireframe0, wireframe1, endpoint_similarity, matches)]
    return PairFeatures(
        LinePairs.join([part.pairs for part in parts]),
        torch.cat([part.features for part in parts]),
    )


def describe_in_parts(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    endpoint_similarity: Tensor,
    matches: PointMatches,
) -> Iterator[PairFeatures]:
    """Describe the pairs of lines that may be parts of one line, some lines at a time.

    The numbers are the same if the images or the endpoints of a line are exchanged.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions. Gradients reach nothing else.
        matches: The matches that guide the lines.

    Yields:
        The pairs of some lines of the images 0 and their features, in single precision at least;
        at least once.

    Raises:
        ValueError: If a wireframe was made without ``side_colors``.
    """
    known = look_at_lines(wireframe0, wireframe1, endpoint_similarity, matches.without_unmatched())
    num_lines0, num_lines1 = known.similarity.shape[1:]
    at_once = max(PAIRS_AT_ONCE // max(num_lines1, 1), 1)
    for first in range(0, max(num_lines0, 1), at_once):
        found = describe_pairs(known, rows=slice(first, first + at_once))
        yield found._replace(pairs=found.pairs._replace(line0=found.pairs.line0 + first))


class KnownLines(NamedTuple):
    """What is known about the lines of B pairs of images before they are compared.

    Attributes:
        lines0: The lines of the images 0.
        lines1: The lines of the images 1.
        matches: The matches that guide the lines.
        geometry: The epipolar geometry of the matches.
        ends: [B, J0, J1], the similarities of the junctions.
        similarity: [B, L0, L1], of the lines' ends.
        best0: [B, L0], the best of these for each line.
        best1: [B, L1].
        alike: [B, L0, L1] bool, where the ends are among the most alike.
    """

    lines0: LineContext
    lines1: LineContext
    matches: PointMatches
    geometry: EpipolarGeometry
    ends: Tensor
    similarity: Tensor
    best0: Tensor
    best1: Tensor
    alike: Tensor


def look_at_lines(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    endpoint_similarity: Tensor,
    matches: PointMatches,
    *,
    fit: Callable[[PointMatches], EpipolarGeometry] = fit_fundamental_matrix,
) -> KnownLines:
    """Look at the lines of both images of B pairs.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions.
        matches: The matches that guide the lines.
        fit: What finds the epipolar geometry of the matches.

    Raises:
        ValueError: If a wireframe was made without ``side_colors``.
    """
    ends = at_least_single(endpoint_similarity)
    similarity = endpoint_line_scores(ends, wireframe0.line_junctions, wireframe1.line_junctions)
    masks = wireframe0.line_mask, wireframe1.line_mask
    best0, best1 = best_similarities(similarity, *masks)
    with torch.no_grad(), without_autocast(ends.device):
        lines0, lines1 = describe_lines(wireframe0, wireframe1, matches)
        return KnownLines(
            lines0=lines0,
            lines1=lines1,
            matches=matches,
            geometry=fit(matches),
            ends=ends,
            similarity=similarity,
            best0=best0,
            best1=best1,
            alike=alike_pairs(similarity, *masks),
        )


def describe_pairs(known: KnownLines, *, rows: slice) -> PairFeatures:
    """Describe the pairs of lines that may be parts of one line.

    Args:
        known: What is known about the lines.
        rows: Which lines of the images 0; those of the pairs are counted from its start.
    """
    lines0, lines1 = known.lines0.select(slice(None), rows), known.lines1
    with torch.no_grad(), without_autocast(known.ends.device):
        pairs, forth, back = _candidates(lines0, lines1, known.alike[:, rows])
        cosines = _cosines(lines0, lines1, pairs)
        direction = torch.where(cosines[0] + cosines[1] < 0, -1.0, 1.0)
        channels = [
            *_guidance(forth, back, direction),
            *_trust(lines0, lines1, pairs),
            *_shapes(lines0, lines1, pairs, cosines),
            *epipolar_channels(lines0.lines, lines1.lines, pairs, known.geometry),
            *_sides(lines0, lines1, pairs, direction),
            *_situation(known.matches, known.geometry, pairs),
            *appearance_channels(pairs.of0(lines0.colors), pairs.of1(lines1.colors), direction),
        ]
    resemblance = [
        *compare_with_best(
            pairs.take(known.similarity[:, rows]),
            pairs.of0(known.best0[:, rows]),
            pairs.of1(known.best1),
        ),
        *_endpoints(known.ends, lines0, lines1, pairs, direction),
    ]
    return PairFeatures(pairs, torch.stack([*resemblance, *channels]).T)


def _candidates(
    lines0: LineContext, lines1: LineContext, alike: Tensor
) -> tuple[LinePairs, Agreement, Agreement]:
    """Choose the pairs that come near each other or are alike.

    Returns:
        The pairs, and how they agree in image 1 and in image 0: [3, K].
    """
    possible = possibly_near(lines0.carried, lines1.lines)
    possible = possible | possibly_near(lines1.carried, lines0.lines).mT
    possible = possible & lines0.mask[:, :, None] & lines1.mask[:, None]
    pairs = LinePairs(*(possible | alike).nonzero(as_tuple=True))
    forth = compare_one_by_one(pairs.of0(lines0.carried), pairs.of1(lines1.lines))
    back = compare_one_by_one(pairs.of1(lines1.carried), pairs.of0(lines0.lines))
    chosen = (is_near(forth) | is_near(back) | pairs.take(alike)).nonzero()[:, 0]
    forth, back = (
        Agreement(*(value.index_select(1, chosen) for value in both)) for both in (forth, back)
    )
    return pairs.select(chosen), forth, back


def _cosines(lines0: LineContext, lines1: LineContext, pairs: LinePairs) -> tuple[Tensor, Tensor]:
    """Return the cosines [K] between the carried line of each image and its partner."""
    forth = pairs.of0(lines0.carried_directions) * pairs.of1(lines1.directions)
    back = pairs.of1(lines1.carried_directions) * pairs.of0(lines0.directions)
    return forth[0] + forth[1], back[0] + back[1]


def _guidance(ahead: Agreement, behind: Agreement, direction: Tensor) -> list[Tensor]:
    """Return how well the lines agree, with left compared to left where they run the same way."""
    backwards = direction < 0
    turned = (
        torch.cat([value[:1], torch.where(backwards, value[1:].flip(0), value[1:])])
        for value in behind
    )
    values = agreement_channels(
        Agreement(*(value[None, :, None] for value in ahead)),
        Agreement(*(value[None, :, :, None] for value in turned)),
    )
    return [value[0, 0] for value in values]


def _trust(lines0: LineContext, lines1: LineContext, pairs: LinePairs) -> list[Tensor]:
    both = zip(*ordered(pairs.of0(lines0.trust), pairs.of1(lines1.trust)), strict=True)
    return [value for lower_and_upper in both for value in lower_and_upper]


def _shapes(
    lines0: LineContext,
    lines1: LineContext,
    pairs: LinePairs,
    cosines: tuple[Tensor, Tensor],
) -> list[Tensor]:
    """Return lengths, angles to the carried lines, and distances of carried endpoints."""
    log_lengths = pairs.of0(lines0.log_lengths), pairs.of1(lines1.log_lengths)
    angles = [(1 - cosine.abs()).clamp(min=0).sqrt() * 2 for cosine in cosines]
    forth = _end_distances(pairs.of0(lines0.carried[:, :, 0]), pairs.of1(lines1.lines))
    back = _end_distances(pairs.of1(lines1.carried[:, :, 0]), pairs.of0(lines0.lines))
    both = (log_lengths, angles, (forth[0], back[0]), (forth[1], back[1]))
    return [value for first, second in both for value in ordered(first, second)]


def _end_distances(carried: Tensor, lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the nearer and the farther of two carried ends are from those of lines."""
    (first, swapped0), (swapped1, last) = lengths(
        (carried[:, None] - lines).movedim(2, 0)
    )  # [K] each
    same = first + last <= swapped0 + swapped1
    ends = torch.where(same, first, swapped0), torch.where(same, last, swapped1)
    nearer, farther = ordered(*ends)
    return nearer.log1p() / 2 - 1, farther.log1p() / 2 - 1


def _sides(
    lines0: LineContext, lines1: LineContext, pairs: LinePairs, direction: Tensor
) -> list[Tensor]:
    around0 = Neighbours(*(pairs.of0(value) for value in lines0.neighbours))
    around1 = Neighbours(*(pairs.of1(value) for value in lines1.neighbours))
    forth = side_channels(around0, pairs.of1(lines1.lines), direction)
    back = side_channels(around1, pairs.of0(lines0.lines), direction)
    return [value for both in zip(forth, back, strict=True) for value in ordered(*both)]


def _situation(matches: PointMatches, geometry: EpipolarGeometry, pairs: LinePairs) -> list[Tensor]:
    """Return how many matches there are, and how many follow one epipolar geometry."""
    total = matches.weights.sum(1)
    agreeing = geometry.support.to(total.dtype)
    values = (total / 200).log1p(), agreeing / total.clamp(min=1)
    return [value[pairs.image] for value in values]


def _endpoints(
    similarity: Tensor,
    lines0: LineContext,
    lines1: LineContext,
    pairs: LinePairs,
    direction: Tensor,
) -> list[Tensor]:
    """Return how alike the endpoints are that must be the same, given how the lines run."""
    if 0 in similarity.shape[1:]:
        empty = similarity.new_zeros(len(direction))
        return [empty, empty, empty, empty]
    junctions0 = pairs.image * similarity.shape[1] + pairs.of0(lines0.junctions)  # [2, K]
    places = junctions0[:, None] * similarity.shape[2] + pairs.of1(lines1.junctions)
    between = similarity.flatten().index_select(0, places.flatten())
    (first, swapped0), (swapped1, last) = between.view_as(places)
    same, swapped = torch.stack([first, last]), torch.stack([swapped0, swapped1])
    forwards = direction > 0
    ours, others = torch.where(forwards, same, swapped), torch.where(forwards, swapped, same)
    return [
        ours.amin(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
        ours.amax(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
        ((ours.sum(0) - others.sum(0)) / _SIMILARITY_SCALE).clamp(-4, 4),
        others.amax(0) / _SIMILARITY_SCALE - _SIMILARITY_OFFSET,
    ]
