"""The truth about the lines and nodes of pairs of images."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gluestick.supervision.point_truth import match_reprojections
from gluestick.supervision.reprojection import (
    Reprojection,
    reproject_by_depth,
    reproject_by_homography,
)
from gluestick.supervision.rules import IGNORED, UNMATCHED, GroundTruthConfig, TrueMatches
from gluestick.supervision.same_lines import (
    SameLines,
    same_lines_from_depth,
    same_lines_from_homography,
)
from gluestick.training.examples.pairs import EXACT_DEPTH_ERROR, TrainingPair
from gluestick.types import Wireframe, pad_and_stack

TRUTH = GroundTruthConfig(depth_error=EXACT_DEPTH_ERROR)
"""The rule for the truth, where depth is exact."""


def same_lines_between(pair: TrainingPair, lines0: Tensor, lines1: Tensor) -> SameLines:
    """Return which lines of one pair are the same.

    Args:
        pair: The pair.
        lines0: [1, L0, 2, 2] px, of image 0.
        lines1: [1, L1, 2, 2] px, of image 1.

    Returns:
        The truth on the device of the lines.
    """
    if pair.H_0to1 is None:
        assert pair.depth is not None
        depth = pair.depth.to(lines0.device)
        return same_lines_from_depth(lines0, lines1, depth, config=_rule(pair))
    size0, size1 = (
        torch.tensor([image.shape[:0:-1]], device=lines0.device) for image in pair.images
    )
    return same_lines_from_homography(
        lines0,
        lines1,
        pair.H_0to1[None].to(lines0),
        image_size0=size0,
        image_size1=size1,
        config=TRUTH,
    )


def carry_points(pair: TrainingPair, points: Tensor, *, side: int) -> Reprojection:
    """Carry points [1, M, 2] of one image of a pair into the other.

    Args:
        pair: The pair.
        points: [1, M, 2] px.
        side: 0 for points of image 0, 1 for those of image 1.

    Returns:
        The points on their device.
    """
    if pair.H_0to1 is not None:
        H = pair.H_0to1 if side == 0 else torch.linalg.inv(pair.H_0to1)
        return reproject_by_homography(points, H[None].to(points), config=TRUTH)
    assert pair.depth is not None
    depth = pair.depth if side == 0 else pair.depth.reversed()
    return reproject_by_depth(points, depth, cycle=True, config=_rule(pair))


def node_truth(
    wireframes: Sequence[Wireframe], carried: Sequence[Reprojection], *, apart: bool
) -> TrueMatches:
    """Match the nodes of two wireframes of one image each.

    Args:
        wireframes: Both wireframes, without padding.
        carried: Their nodes in the other image.
        apart: Whether junctions match junctions only, and keypoints keypoints.

    Returns:
        The true matches [1, P0] and [1, P1].
    """
    nodes0, nodes1 = (wireframe.keypoints for wireframe in wireframes)
    if not apart:
        return match_reprojections(nodes0, nodes1, *carried, config=TRUTH)
    num0, num1 = (int(wireframe.num_junctions) for wireframe in wireframes)
    junctions, keypoints = (
        match_reprojections(
            nodes0[:, own0],
            nodes1[:, own1],
            Reprojection(*(value[:, own0] for value in carried[0])),
            Reprojection(*(value[:, own1] for value in carried[1])),
            config=TRUTH,
        )
        for own0, own1 in ((slice(num0), slice(num1)), (slice(num0, None), slice(num1, None)))
    )
    return TrueMatches(
        *(
            torch.cat([own, torch.where(rest > -1, rest + shift, rest)], dim=1)
            for own, rest, shift in zip(junctions, keypoints, (num1, num0), strict=True)
        )
    )


def line_truth(lines: SameLines, partners: Tensor) -> TrueMatches:
    """Return the true matches of lines, one to one.

    Args:
        lines: Which lines are the same.
        partners: [B, L0, L1] bool, the best partners among them.
    """
    return TrueMatches(
        *(_true_partners(partners, lines.known, dim=dim) for dim in (2, 1))  # rows, columns
    )


def stack_same_lines(truths: Sequence[SameLines]) -> SameLines:
    """Put the truths of single pairs into one batch; padding is not known."""
    return SameLines(*(_stack_tables(values) for values in zip(*truths, strict=True)))


def stack_true_matches(truths: Sequence[TrueMatches]) -> TrueMatches:
    """Put the true matches of single pairs into one batch; padding is ignored."""
    stacked = []
    for values in zip(*truths, strict=True):
        number = max(value.shape[1] for value in values)
        padded = [
            torch.nn.functional.pad(value, (0, number - value.shape[1]), value=IGNORED)
            for value in values
        ]
        stacked.append(torch.cat(padded))
    return TrueMatches(*stacked)


def _rule(pair: TrainingPair) -> GroundTruthConfig:
    return replace(TRUTH, depth_error=pair.depth_error)


def _true_partners(partners: Tensor, known: Tensor, *, dim: int) -> Tensor:
    if partners.shape[dim] == 0:
        return partners.new_full(partners.any(dim).shape, IGNORED, dtype=torch.int64)
    matches = torch.where(partners.any(dim), partners.int().argmax(dim), UNMATCHED)
    return matches.masked_fill(~known.any(dim), IGNORED)


def _stack_tables(values: Sequence[Tensor]) -> Tensor:
    columns = max(value.shape[2] for value in values)
    return pad_and_stack(
        [torch.nn.functional.pad(value[0], (0, columns - value.shape[2])) for value in values]
    )
