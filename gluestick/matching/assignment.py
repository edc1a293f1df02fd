"""From scores to log-probabilities of matches, and from these to matches.

An assignment [B, M+1, N+1] holds one cell per pair; its last column says how likely a row is
to stay unmatched, its last row the same for the columns, and its corner is 0. Where masks
are given, a pair with padding has -inf and padding is unmatched with certainty, log 1 = 0.
So a loss must select cells rather than multiply all of them by weights. Half-precision scores
give single-precision assignments.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.precision import AtLeastSingle, at_least_single, without_autocast
from gluestick.types import Matches

PIECE = 2**22
"""Larger assignments are made in pieces of so many values, which bounds the memory."""


class MutualMatches(NamedTuple):
    """Matches between the rows and the columns of an assignment.

    Attributes:
        matches0: [B, M] int64, the column matched to each row, or -1.
        matches1: [B, N] int64, the row matched to each column, or -1.
        scores0: [B, M] in [0, 1], the probability of the mutual partner, also where it is
            too low for a match; 0 without a mutual partner.
        scores1: [B, N], the same for the columns.
    """

    matches0: Tensor
    matches1: Tensor
    scores0: Tensor
    scores1: Tensor

    def above(self, threshold: float) -> "MutualMatches":
        """Return the matches whose probability exceeds a threshold in [0, 1]."""
        return self._replace(
            matches0=torch.where(self.scores0 > threshold, self.matches0, -1),
            matches1=torch.where(self.scores1 > threshold, self.matches1, -1),
        )


def log_double_softmax(
    scores: Tensor, bin_score: Tensor, mask0: Tensor | None = None, mask1: Tensor | None = None
) -> Tensor:
    """Average the log-softmaxes over rows and columns, each with a dustbin (GlueStick).

    Args:
        scores: [B, M, N].
        bin_score: [], the score of the dustbin.
        mask0: [B, M] bool, the real rows; None for all.
        mask1: [B, N] bool, the real columns; None for all.

    Returns:
        The assignment [B, M+1, N+1].
    """
    scores = at_least_single(scores)
    batch_size, num_rows, num_columns = scores.shape
    impossible = _impossible(mask0, mask1)
    if impossible is not None:
        scores = scores.masked_fill(impossible, float("-inf"))
    dustbin = bin_score.to(scores.dtype)
    rows = torch.cat([scores, dustbin.expand(batch_size, num_rows, 1)], dim=2).log_softmax(2)
    columns = torch.cat([scores, dustbin.expand(batch_size, 1, num_columns)], dim=1).log_softmax(1)
    pairs = (rows[:, :, :-1] + columns[:, :-1]) / 2
    return _assemble(pairs, rows[:, :, -1], columns[:, -1])


def sigmoid_log_double_softmax(
    scores: Tensor,
    matchability0: Tensor,
    matchability1: Tensor,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
) -> Tensor:
    """Add log-softmaxes over rows and columns and log-matchabilities (LightGlue, equation 8).

    Args:
        scores: [B, M, N].
        matchability0: [B, M], logits.
        matchability1: [B, N], logits.
        mask0: [B, M] bool, the real rows; None for all.
        mask1: [B, N] bool, the real columns; None for all.

    Returns:
        The assignment [B, M+1, N+1].
    """
    scores, matchability0, matchability1 = map(
        at_least_single, (scores, matchability0, matchability1)
    )
    unmatched0, unmatched1 = F.logsigmoid(-matchability0), F.logsigmoid(-matchability1)
    if mask0 is not None:
        unmatched0 = unmatched0.masked_fill(~mask0, 0)
    if mask1 is not None:
        unmatched1 = unmatched1.masked_fill(~mask1, 0)
    if scores.numel() > PIECE and not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        assignment = scores.new_zeros(len(scores), scores.shape[1] + 1, scores.shape[2] + 1)
        certainty0, certainty1 = F.logsigmoid(matchability0), F.logsigmoid(matchability1)
        _fill_in_pieces(assignment[:, :-1, :-1], scores, (certainty0, certainty1), (mask0, mask1))
        assignment[:, :-1, -1], assignment[:, -1, :-1] = unmatched0, unmatched1
        return assignment
    rows = scores if mask1 is None else scores.masked_fill(~mask1[:, None], float("-inf"))
    columns = scores if mask0 is None else scores.masked_fill(~mask0[:, :, None], float("-inf"))
    certainty = F.logsigmoid(matchability0)[:, :, None] + F.logsigmoid(matchability1)[:, None]
    pairs = rows.log_softmax(2) + columns.log_softmax(1) + certainty
    impossible = _impossible(mask0, mask1)
    if impossible is not None:
        pairs = pairs.masked_fill(impossible, float("-inf"))
    return _assemble(pairs, unmatched0, unmatched1)


def _fill_in_pieces(
    pairs: Tensor,
    scores: Tensor,
    certainty: tuple[Tensor, Tensor],
    masks: tuple[Tensor | None, Tensor | None],
) -> None:
    """Write the pairs [B, M, N] of an assignment, to the bit as at once, with little memory."""
    batch_size, num_rows, num_columns = scores.shape
    mask0, mask1 = masks
    none = float("-inf")
    for piece in _pieces(num_rows, size=batch_size * num_columns):
        rows = scores[:, piece]
        if mask1 is not None:
            rows = rows.masked_fill(~mask1[:, None], none)
        pairs[:, piece] = rows.log_softmax(2)
    for piece in _pieces(num_columns, size=batch_size * num_rows):
        columns = scores[:, :, piece]
        if mask0 is not None:
            columns = columns.masked_fill(~mask0[:, :, None], none)
        pairs[:, :, piece] += columns.log_softmax(1)
    for piece in _pieces(num_rows, size=batch_size * num_columns):
        pairs[:, piece] += certainty[0][:, piece, None] + certainty[1][:, None]
        impossible = _impossible(None if mask0 is None else mask0[:, piece], mask1)
        if impossible is not None:
            pairs[:, piece].masked_fill_(impossible, none)


def _pieces(length: int, *, size: int) -> list[slice]:
    """Cut a length into parts of which each has about ``PIECE`` values, of ``size`` in a unit."""
    step = max(PIECE // max(size, 1), 1)
    return [slice(start, start + step) for start in range(0, length, step)]


def _impossible(mask0: Tensor | None, mask1: Tensor | None) -> Tensor | None:
    if mask0 is None:
        return None if mask1 is None else ~mask1[:, None]
    return ~mask0[:, :, None] if mask1 is None else ~(mask0[:, :, None] & mask1[:, None])


def _assemble(pairs: Tensor, unmatched0: Tensor, unmatched1: Tensor) -> Tensor:
    assignment = F.pad(pairs, (0, 1, 0, 1))
    assignment[:, :-1, -1] = unmatched0
    assignment[:, -1, :-1] = unmatched1
    return assignment


def block_diagonal(junctions: Tensor, keypoints: Tensor) -> Tensor:
    """Join two assignments into one in which no pair mixes them.

    Args:
        junctions: [B, J0+1, J1+1].
        keypoints: [B, K0+1, K1+1].

    Returns:
        [B, J0+K0+1, J1+K1+1], junctions first.
    """
    rows, columns = junctions.shape[1] - 1, junctions.shape[2] - 1
    joined = F.pad(keypoints, (columns, 0, rows, 0), value=float("-inf"))
    joined[:, :rows, :columns] = junctions[:, :-1, :-1]
    joined[:, :rows, -1] = junctions[:, :-1, -1]
    joined[:, -1, :columns] = junctions[:, -1, :-1]
    return joined


def mutual_matches(log_assignment: Tensor, *, threshold: float) -> MutualMatches:
    """Match rows and columns that are each other's most likely partner.

    Args:
        log_assignment: [B, M+1, N+1].
        threshold: The probability in [0, 1] that a match must exceed.

    Returns:
        The matches; none where there is no row or no column.
    """
    pairs = log_assignment[:, :-1, :-1]
    batch_size, num_rows, num_columns = pairs.shape
    if num_rows == 0 or num_columns == 0:
        none0 = torch.full((batch_size, num_rows), -1, device=pairs.device)
        none1 = torch.full((batch_size, num_columns), -1, device=pairs.device)
        return MutualMatches(none0, none1, none0.to(pairs) * 0, none1.to(pairs) * 0)
    # The largest values of columns come ten times as fast without their indices.
    best0, highest1 = pairs.max(2), pairs.amax(1)
    mutual0 = highest1.gather(1, best0.indices) == best0.values
    row = torch.arange(num_rows, device=pairs.device).expand(batch_size, -1)
    partner = torch.where(mutual0, row, num_rows)
    best1 = torch.full_like(highest1, num_rows, dtype=torch.int64)
    best1 = best1.scatter_reduce(1, best0.indices, partner, "amin")  # equals: the first one
    mutual0 = mutual0 & (best1.gather(1, best0.indices) == row)
    scores0 = torch.where(mutual0, best0.values.exp(), 0)
    scores1 = F.pad(scores0, (0, 1)).gather(1, best1)
    return MutualMatches(best0.indices, best1, scores0, scores1).above(threshold)


def to_matches(
    log_assignment: Tensor,
    line_log_assignment: Tensor,
    *,
    threshold: float,
    line_threshold: float,
    nodes: MutualMatches | None = None,
) -> Matches:
    """Match nodes and lines, with all nodes in one list.

    Args:
        log_assignment: [B, P0+1, P1+1], between the nodes.
        line_log_assignment: [B, L0+1, L1+1], between the lines.
        threshold: The probability that a match of nodes must exceed.
        line_threshold: The probability that a match of lines must exceed.
        nodes: The matches of the nodes with a threshold of 0; None to find them.

    Returns:
        The matches.
    """
    nodes = (nodes or mutual_matches(log_assignment, threshold=0.0)).above(threshold)
    lines = mutual_matches(line_log_assignment, threshold=line_threshold)
    return Matches(
        matches0=nodes.matches0,
        matches1=nodes.matches1,
        matching_scores0=nodes.scores0,
        matching_scores1=nodes.scores1,
        line_matches0=lines.matches0,
        line_matches1=lines.matches1,
        line_matching_scores0=lines.scores0,
        line_matching_scores1=lines.scores1,
        log_assignment=log_assignment,
        line_log_assignment=line_log_assignment,
    )


def with_junctions_apart(matches: Matches, junction0: Tensor, junction1: Tensor) -> Matches:
    """Report the matches of junctions apart from those of keypoints.

    Args:
        matches: The matches of all nodes.
        junction0: [B, P0] bool, the junctions of the images 0.
        junction1: [B, P1] bool.
    """
    return replace(
        matches,
        matches0=matches.matches0.masked_fill(junction0, -1),
        matches1=matches.matches1.masked_fill(junction1, -1),
        matching_scores0=matches.matching_scores0.masked_fill(junction0, 0),
        matching_scores1=matches.matching_scores1.masked_fill(junction1, 0),
        junction_matches0=matches.matches0.masked_fill(~junction0, -1),
        junction_matches1=matches.matches1.masked_fill(~junction1, -1),
        junction_matching_scores0=matches.matching_scores0.masked_fill(~junction0, 0),
        junction_matching_scores1=matches.matching_scores1.masked_fill(~junction1, 0),
    )


class MatchAssignment(AtLeastSingle):
    """The heads of LightGlueStick at one layer: similarities and matchabilities.

    They stay in single precision: rounded to bfloat16, similarities of about 20 are 0.1 apart,
    which decides between neighbours.

    Args:
        descriptor_dim: The number of channels C.
    """

    def __init__(self, descriptor_dim: int) -> None:
        super().__init__()
        self.matchability = nn.Linear(descriptor_dim, 1)
        self.endp_matchability = nn.Linear(descriptor_dim, 1)
        self.final_proj = nn.Linear(descriptor_dim, descriptor_dim)
        self.final_proj_line = nn.Linear(descriptor_dim, descriptor_dim)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Project nodes for matching.

        Args:
            x: [B, S, C].

        Returns:
            The vectors [B, S, C], whose products are the similarities, and the logits [B, S]
            of having a match.
        """
        x = at_least_single(x)
        with without_autocast(x.device):
            return self.final_proj(x) / x.shape[-1] ** 0.25, self.node_matchability(x)

    def node_matchability(self, x: Tensor) -> Tensor:
        """Return the logits [B, S] of nodes [B, S, C] having a match."""
        x = at_least_single(x)
        with without_autocast(x.device):
            return self.matchability(x).squeeze(-1)

    def project_endpoints(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Project junctions for matching them as endpoints of lines, as :meth:`project`."""
        x = at_least_single(x)
        with without_autocast(x.device):
            vectors = self.final_proj_line(x) / x.shape[-1] ** 0.25
            return vectors, self.endp_matchability(x).squeeze(-1)
