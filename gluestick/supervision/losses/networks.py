"""The losses that the two networks were published with, pair by pair.

All of them select entries of assignments: what is padding, ignored or impossible (-inf) has no
influence, and a pair without anything to learn from has the loss 0.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.matching.layer_outputs import LayerOutput
from gluestick.supervision.rules import UNMATCHED
from gluestick.types import GroundTruth


class AssignmentNll(NamedTuple):
    """The mean negative log-likelihoods of an assignment, pair by pair.

    Attributes:
        matched: [B], of the true matches.
        unmatched: [B], of features that have no partner, of both images together.
    """

    matched: Tensor
    unmatched: Tensor

    def balanced(self, share: float) -> Tensor:
        """Return both [B], the matched with a weight in [0, 1] and the others with the rest."""
        return share * self.matched + (1 - share) * self.unmatched


def assignment_nll(log_assignment: Tensor, matches0: Tensor, matches1: Tensor) -> AssignmentNll:
    """Compare an assignment with the truth (GlueStick, arXiv 2304.02008, equation 10).

    Args:
        log_assignment: [B, M+1, N+1].
        matches0: [B, M] int64, true partners, -1 without one, -2 to ignore.
        matches1: [B, N] int64.

    Returns:
        The likelihoods; 0 where there is no match, or nothing without one.
    """
    rows = log_assignment[:, :-1]
    matched = rows.gather(2, matches0.clamp(min=0)[..., None])[..., 0]
    unmatched = torch.cat([rows[..., -1], log_assignment[:, -1, :-1]], dim=1)
    alone = torch.cat([matches0, matches1], dim=1) == UNMATCHED
    return AssignmentNll(
        matched=-_mean_of(matched, (matches0 > UNMATCHED) & matched.isfinite()),
        unmatched=-_mean_of(unmatched, alone),
    )


def gluestick_loss(
    outputs: Sequence[LayerOutput],
    truth: GroundTruth,
    *,
    balance: float = 0.5,
    layer_weights: Mapping[int, float] | None = None,
) -> dict[str, Tensor]:
    """Return GlueStick's loss: the likelihoods of nodes and lines, and of lines on the way.

    Args:
        outputs: What :meth:`gluestick.matching.gluestick.GlueStick.forward_all` returned.
        truth: The true matches, in which junctions are nodes like all others.
        balance: The weight in [0, 1] of true matches against what has none.
        layer_weights: The weights of the lines after inner layers; 1 for those not named.

    Returns:
        ``loss`` [B] and its parts, each [B]: ``points``, ``lines``, and ``lines_LAYER`` for
        each inner layer.
    """
    *inner, last = outputs
    assert last.log_assignment is not None
    parts = {
        "points": _points(last, truth).balanced(balance),
        "lines": _lines(last, truth).balanced(balance),
    }
    loss = parts["points"] + parts["lines"]
    for output in inner:
        part = _lines(output, truth).balanced(balance)
        parts[f"lines_{output.layer}"] = part
        loss = loss + (layer_weights or {}).get(output.layer, 1.0) * part
    return {"loss": loss, **parts}


def lightglue_loss(
    outputs: Sequence[LayerOutput],
    truth: GroundTruth,
    *,
    masks: tuple[Tensor, Tensor],
    balance: float = 0.5,
    decay: float = 1.0,
    line_weight: float = 1.0,
    confidence_weight: float = 1.0,
) -> dict[str, Tensor]:
    """Return LightGlue's loss after each layer (arXiv 2306.13643), for points and lines.

    As in LightGlueStick (arXiv 2510.16438), nodes and lines are averaged.

    Args:
        outputs: What :meth:`gluestick.matching.lightgluestick.LightGlueStick.forward_all`
            returned.
        truth: The true matches.
        masks: [B, P0] and [B, P1] bool, the nodes that are no padding.
        balance: The weight in [0, 1] of true matches against what has none.
        decay: What a layer counts less than the one above it.
        line_weight: The weight of lines against that of nodes, which is 1.
        confidence_weight: The weight of the confidences, each of which is to tell whether the
            best partner of its node is the one after the last layer.

    Returns:
        ``loss`` [B] and its parts, each [B]: ``points`` and ``lines`` after the last layer, and
        ``confidence``.
    """
    total, weights = torch.zeros((), device=truth.gt_matches0.device), 0.0
    confidences = []
    for output in outputs:
        weight = decay ** (len(outputs) - 1 - output.layer)
        points = _points(output, truth).balanced(balance)
        lines = _lines(output, truth).balanced(balance)
        total = total + weight * (points + line_weight * lines) / (1 + line_weight)
        weights += weight
        if output.confidence_logits0 is not None:
            confidences.append(_confidence_loss(output, outputs[-1], masks))
    confidence = torch.stack(confidences).mean(0) if confidences else torch.zeros_like(points)
    return {
        "loss": total / weights + confidence_weight * confidence,
        "points": points,
        "lines": lines,
        "confidence": confidence,
    }


def _points(output: LayerOutput, truth: GroundTruth) -> AssignmentNll:
    assert output.log_assignment is not None
    return assignment_nll(output.log_assignment, truth.gt_matches0, truth.gt_matches1)


def _lines(output: LayerOutput, truth: GroundTruth) -> AssignmentNll:
    labels = truth.gt_line_matches0, truth.gt_line_matches1
    return assignment_nll(output.line_log_assignment, *labels)


def _confidence_loss(
    output: LayerOutput, last: LayerOutput, masks: tuple[Tensor, Tensor]
) -> Tensor:
    """[B], the cross-entropy between confidences and whether partners are final."""
    assert output.log_assignment is not None
    assert last.log_assignment is not None
    now, final = output.log_assignment.detach(), last.log_assignment.detach()
    logits = output.confidence_logits0, output.confidence_logits1
    partners = (
        (now[:, :-1].argmax(2), final[:, :-1].argmax(2)),
        (now[:, :, :-1].argmax(1), final[:, :, :-1].argmax(1)),
    )
    sides = []
    for side_logits, (before, after), mask in zip(logits, partners, masks, strict=True):
        assert side_logits is not None
        costs = F.binary_cross_entropy_with_logits(
            side_logits, (before == after).to(side_logits.dtype), reduction="none"
        )
        sides.append(_mean_of(costs, mask))
    return (sides[0] + sides[1]) / 2


def _mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """[B], the mean of the chosen entries of [B, N], 0 without any."""
    return torch.where(chosen, values, 0).sum(1) / chosen.sum(1).clamp(min=1)
