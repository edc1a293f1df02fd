"""Matching without a network: nearest neighbours among descriptors."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.inputs import NodeCounts, check_pair
from gluestick.matching.line_heads.endpoints import endpoint_line_scores
from gluestick.peers.scored_matches import keypoint_matches, keypoint_nodes, log_assignment_of
from gluestick.precision import without_autocast
from gluestick.types import Matches, Wireframe


@dataclass(frozen=True, kw_only=True)
class NearestNeighboursConfig:
    """Options of :class:`NearestNeighbours`.

    Attributes:
        max_ratio: The distance to the nearest neighbour over that to the second nearest is
            below this, in (0, 1]; None for no such test.
        match_lines: Whether lines are matched, by the descriptors of their endpoints.
    """

    max_ratio: float | None = None
    match_lines: bool = False

    def __post_init__(self) -> None:
        if self.max_ratio is not None and not 0 < self.max_ratio <= 1:
            raise ValueError(f"max_ratio needs to be in (0, 1], or None, found {self.max_ratio}")


class NearestNeighbours(nn.Module):
    """Matches keypoints, and lines if asked to, that are each other's nearest neighbours.

    Without a ratio test every mutual nearest neighbour is a match, and its score is
    (1 + cosine) / 2. With one (Lowe, "Distinctive Image Features from Scale-Invariant
    Keypoints", IJCV 2004, section 7.1) the score is 1 - ratio, where the ratio is the larger of
    those in both directions; a keypoint with a single candidate has no ratio and no match.

    Two lines are compared by the mean cosine between the descriptors of their endpoints, in
    the better of both orders.

    Args:
        config: The options.
    """

    def __init__(self, config: NearestNeighboursConfig | None = None) -> None:
        super().__init__()
        self.config = config or NearestNeighboursConfig()

    def forward(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches between keypoints and, if asked for, between lines. Junctions are not
            matched.

        Raises:
            ValueError: If the batches or descriptors do not fit, or are not finite.
        """
        dim = wireframe0.descriptors.shape[2]
        counts = check_pair(wireframe0, wireframe1, descriptor_dim=dim)
        masks = keypoint_nodes(wireframe0), keypoint_nodes(wireframe1)
        with without_autocast(wireframe0.descriptors.device):
            similarity = wireframe0.descriptors @ wireframe1.descriptors.mT  # [B, P0, P1]
        max_ratio = self.config.max_ratio
        if max_ratio is None:
            scores, threshold = cosine_scores(similarity), 0.0
        else:
            scores, threshold = ratio_scores(similarity, *masks), 1 - max_ratio
        return keypoint_matches(
            wireframe0,
            wireframe1,
            log_assignment_of(scores, *masks),
            threshold=threshold,
            line_log_assignment=(
                _line_assignment(similarity, wireframe0, wireframe1, counts)
                if self.config.match_lines
                else None
            ),
        )


def _line_assignment(
    similarity: Tensor,
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    counts: tuple[NodeCounts, NodeCounts],
) -> Tensor:
    num_junctions0, num_junctions1 = (max(side.junctions) for side in counts)
    between_lines = endpoint_line_scores(
        similarity[:, :num_junctions0, :num_junctions1],
        wireframe0.line_junctions,
        wireframe1.line_junctions,
    )
    return log_assignment_of(
        cosine_scores(between_lines), wireframe0.line_mask, wireframe1.line_mask
    )


def cosine_scores(similarity: Tensor) -> Tensor:
    """Map cosines [...] in [-1, 1] to scores in [0, 1]; rounding beyond these is cut off."""
    return ((1 + similarity) / 2).clamp(0, 1)


def ratio_scores(similarity: Tensor, mask0: Tensor, mask1: Tensor) -> Tensor:
    """Score pairs by how much nearer they are than the second nearest candidates.

    Args:
        similarity: [B, M, N], cosines of descriptors of unit norm.
        mask0: [B, M] bool, the rows that count as candidates.
        mask1: [B, N] bool, the columns that count as candidates.

    Returns:
        [B, M, N] in [0, 1]: 1 - ratio for mutual nearest neighbours, with the larger ratio of
        both directions, and 0 for all other pairs.
    """
    distances = (2 - 2 * similarity).clamp_min(0).sqrt()
    candidates = mask0[:, :, None] & mask1[:, None]
    distances = distances.masked_fill(~candidates, float("inf"))
    nowhere = float("inf")
    in_row = F.pad(distances, (0, 2), value=nowhere).topk(2, dim=2, largest=False).values[:, :, 1:]
    in_column = (
        F.pad(distances, (0, 0, 0, 2), value=nowhere).topk(2, dim=1, largest=False).values[:, 1:]
    )
    second = torch.minimum(in_row, in_column)  # [B, M, N]
    both = in_row.isfinite() & in_column.isfinite() & (second > 0)
    ratio = torch.where(both, distances / second, 1)
    return (1 - ratio).clamp_min(0)
