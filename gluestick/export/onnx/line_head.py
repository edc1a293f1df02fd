"""The exported line head: raw segments and matched points to matches of lines."""

from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.epipolar_overlap import fit_fundamental_matrix
from gluestick.matching.line_heads.guidance import PointMatches, in_units
from gluestick.matching.line_heads.same_line import (
    SameLineHead,
    ScoredPairs,
    one_to_one_assignment,
)
from gluestick.matching.line_heads.same_line_features import describe_pairs, look_at_lines
from gluestick.types import Wireframe

_ROUNDS, _SQUARINGS = 5, 8
"""Together enough to tell eigenvalues apart that differ by 1e-10 of their sum; within a round the
largest, at least 8/9 at first, does not vanish."""


class Segments(NamedTuple):
    """Raw segments of B images, and what the detector says about them.

    Attributes:
        image_size: [B, 2] float32, (width, height) px.
        detected_lines: [B, L, 2, 2] px.
        line_mask: [B, L] bool, False for padding.
        line_junctions: [B, L, 2] int64, the junctions at both ends.
        side_colors: [B, L, 2, 9].
    """

    image_size: Tensor
    detected_lines: Tensor
    line_mask: Tensor
    line_junctions: Tensor
    side_colors: Tensor


class LineMatches(NamedTuple):
    """What the line head says about B pairs.

    Attributes:
        line_matches: [B, L0] int64, the line of image 1 for each of image 0, or -1.
        line_scores: [B, L0] in [0, 1], the probabilities.
        same_line: [B, L0, L1] in [0, 1], how likely two lines are parts of one, many to many.
        line_log_assignment: [B, L0+1, L1+1], between the lines.
    """

    line_matches: Tensor
    line_scores: Tensor
    same_line: Tensor
    line_log_assignment: Tensor


class LineHeadGraph(nn.Module):
    """Matches lines as :class:`gluestick.matching.line_heads.same_line.SameLineHead` does.

    Args:
        head: The head.
        threshold: The probability that a match must exceed.
    """

    def __init__(self, head: SameLineHead, *, threshold: float) -> None:
        super().__init__()
        self.score = head.score
        self.threshold = threshold

    def forward(
        self,
        segments0: Segments,
        segments1: Segments,
        similarity: Tensor,
        guides0: Tensor,
        guides1: Tensor,
        guide_scores: Tensor,
    ) -> LineMatches:
        """Match the segments of the images 0 with those of the images 1.

        Args:
            segments0: L segments of each image 0.
            segments1: As many of each image 1.
            similarity: [B, J0, J1], between the junctions.
            guides0: [B, N, 2] px, the nodes of image 0, at least 16.
            guides1: [B, N, 2] px, their partners.
            guide_scores: [B, N], 0 where there is none.
        """
        wireframe0, wireframe1 = cast(Wireframe, segments0), cast(Wireframe, segments1)
        matches = PointMatches(
            in_units(guides0, wireframe0), in_units(guides1, wireframe1), guide_scores
        )
        fit = partial(fit_fundamental_matrix, smallest_eigenvectors=smallest_by_squaring)
        known = look_at_lines(wireframe0, wireframe1, similarity, matches, fit=fit)
        pairs, features = describe_pairs(known, rows=slice(None))
        scored = ScoredPairs(pairs, self.score(features))
        assignment = one_to_one_assignment(scored, wireframe0, wireframe1)
        found = mutual_matches(assignment, threshold=self.threshold)
        return LineMatches(
            line_matches=found.matches0,
            line_scores=found.scores0,
            same_line=torch.zeros_like(known.similarity).index_put(
                tuple(pairs), scored.outputs[:, 0].sigmoid()
            ),
            line_log_assignment=assignment,
        )


def smallest_by_squaring(symmetric: Tensor) -> Tensor:
    """Return the eigenvectors of the smallest eigenvalues, without a decomposition.

    The matrix is taken from its trace, so that the smallest eigenvalue becomes the largest, and
    squared until that alone is left. ONNX has no eigenvalue decomposition.

    Args:
        symmetric: [B, N, N] float64, positive semi-definite.

    Returns:
        [B, N], of unit length.
    """
    size = symmetric.shape[-1]
    identity = torch.eye(size, dtype=symmetric.dtype, device=symmetric.device)
    trace = (symmetric * identity).sum((1, 2), keepdim=True)
    power = identity - symmetric / trace.clamp(min=torch.finfo(symmetric.dtype).tiny)
    for _ in range(_ROUNDS):
        for _ in range(_SQUARINGS):
            power = power @ power
        power = power / power.abs().amax((1, 2), keepdim=True)
    largest = (power * identity).sum(2).argmax(1)  # [B], the column of largest length
    column = power.gather(2, largest[:, None, None].expand(-1, size, 1))[..., 0]
    return column / column.norm(dim=1, keepdim=True)
