"""How well the matches of held-out pairs are found, by the figures of the benchmarks."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from gluestick.matching.assignment import MutualMatches, mutual_matches
from gluestick.supervision.match_metrics import MatchOutcomes, match_outcomes, precision_recall
from gluestick.types import GroundTruth, Matches, Wireframe
from gluestick.visualization import draw_line_matches, draw_point_matches

_GREY = 0.25
_PICTURE_WIDTH = 900


def matching_figures(results: Iterable[tuple[Matches, GroundTruth]]) -> dict[str, float]:
    """Return the figures of points and lines over all pairs of some batches.

    Args:
        results: What a network found in each batch, and what is true.

    Returns:
        ``points/ap``, ``points/precision``, ``points/recall`` and the same of ``lines``, as
        ``gluestick benchmark`` defines them, in [0, 1]; 0 where there is nothing to find.
    """
    outcomes: dict[str, list[MatchOutcomes]] = {"points": [], "lines": []}
    counts = {kind: np.zeros(2, dtype=np.int64) for kind in outcomes}  # reported, and right
    for matches, truth in results:
        for kind, assignment, reported, labels in (
            ("points", matches.log_assignment, matches.matches0, truth.gt_matches0),
            ("lines", matches.line_log_assignment, matches.line_matches0, truth.gt_line_matches0),
        ):
            candidates = mutual_matches(assignment, threshold=0.0)
            outcomes[kind] += _outcomes(candidates, labels)
            judged = (reported > -1) & (labels > -2)
            right = judged & (reported == labels)
            counts[kind] += np.array([int(judged.sum()), int(right.sum())])
    figures = {}
    for kind, found in outcomes.items():
        num_true = sum(outcome.num_true for outcome in found)
        num_reported, num_right = counts[kind]
        figures[f"{kind}/ap"] = precision_recall(found).average_precision
        figures[f"{kind}/precision"] = float(num_right) / (float(num_reported) or 1.0)
        figures[f"{kind}/recall"] = float(num_right) / (num_true or 1.0)
    return figures


def matching_pictures(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches
) -> Mapping[str, np.ndarray]:
    """Return pictures of the matches of the first pair of a batch, on grey.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        matches: The matches between them.

    Returns:
        ``points`` and ``lines``, each [H, W, 3] uint8.
    """
    sides = wireframe0, wireframe1
    grey0, grey1 = (torch.full((3, *side.image_size[0].flip(0).tolist()), _GREY) for side in sides)
    points0, points1 = (side.keypoints[0].cpu() for side in sides)
    lines0, lines1 = (side.detected_lines[0][side.line_mask[0]].cpu() for side in sides)
    found = matches.matches0[0].cpu()
    line_found = matches.line_matches0[0][wireframe0.line_mask[0]].cpu()
    return {
        "points": draw_point_matches(grey0, grey1, points0, points1, found, width=_PICTURE_WIDTH),
        "lines": draw_line_matches(grey0, grey1, lines0, lines1, line_found, width=_PICTURE_WIDTH),
    }


def _outcomes(found: MutualMatches, labels: Tensor) -> list[MatchOutcomes]:
    return [
        match_outcomes(*(value.cpu().numpy() for value in values))
        for values in zip(found.matches0, labels, found.scores0, strict=True)
    ]
