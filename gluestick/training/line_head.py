"""Training of the guided line head on pairs whose points are matched already."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import PointMatches
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.supervision.rules import UNMATCHED, TrueMatches
from gluestick.types import Wireframe

Progress = Callable[[Sequence[int], str], Iterable[int]]
"""Passes the epochs on, one after the other, and shows how far it is under a title."""


@dataclass(frozen=True, kw_only=True)
class LineHeadSample:
    """A batch of pairs as the line head sees it.

    Attributes:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions.
        matches: The matches of their points.
        truth: The true matches of their lines.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    endpoint_similarity: Tensor
    matches: PointMatches
    truth: TrueMatches


@dataclass(frozen=True, kw_only=True)
class LineHeadTrainingConfig:
    """How the line head is trained.

    Attributes:
        num_epochs: How often each sample is seen.
        learning_rate: The highest rate of AdamW, which rises at first and then falls to zero.
        weight_decay: AdamW's weight decay.
        thinning: How likely it is in [0, 1] that only a random share of a sample's point
            matches, down to none, guides the lines.
        seed: Decides the first weights, the order of the samples and what is thinned out.
    """

    num_epochs: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    thinning: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_epochs < 1:
            raise ValueError(f"num_epochs needs to be at least 1, found {self.num_epochs}")
        if not 0 <= self.thinning <= 1:
            raise ValueError(f"thinning needs to be in [0, 1], found {self.thinning}")


def line_assignment_loss(log_assignment: Tensor, truth: TrueMatches) -> Tensor:
    """Return the mean negative log-likelihood of true matches plus that of unmatched lines.

    As in GlueStick (arXiv 2304.02008), both kinds have the same weight whatever their numbers.

    Args:
        log_assignment: [B, L0+1, L1+1].
        truth: The true matches; ignored lines have no influence.

    Returns:
        [], 0 where all lines are ignored.
    """
    image, row = torch.nonzero(truth.matches0 > -1, as_tuple=True)
    matched = log_assignment[image, row, truth.matches0[image, row]]
    unmatched = torch.cat(
        [
            log_assignment[:, :-1, -1][truth.matches0 == UNMATCHED],
            log_assignment[:, -1, :-1][truth.matches1 == UNMATCHED],
        ]
    )
    return -sum((part.mean() for part in (matched, unmatched) if len(part)), matched.sum() * 0)


def train_line_head(
    samples: Sequence[LineHeadSample],
    *,
    config: LineHeadTrainingConfig | None = None,
    progress: Progress | None = None,
) -> tuple[GuidedLineHead, list[float]]:
    """Train a guided line head from scratch.

    Args:
        samples: What to learn from.
        config: The options.
        progress: Shows how far it is.

    Returns:
        The head in evaluation mode, and the mean loss of each epoch. Samples, options and number
        of threads decide both.

    Raises:
        ValueError: If there is no sample.
    """
    config = config or LineHeadTrainingConfig()
    if not samples:
        raise ValueError("training needs at least one sample, found none")
    rng = np.random.default_rng(config.seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(config.seed)
        head = GuidedLineHead()
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.num_epochs * len(samples)
    )
    losses = []
    epochs = range(config.num_epochs)
    for _ in epochs if progress is None else progress(epochs, "training"):
        total = 0.0
        for index in rng.permutation(len(samples)):
            sample = _thinned(samples[index], rng, probability=config.thinning)
            assignment = head.match(
                sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
            )
            loss = line_assignment_loss(assignment, sample.truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        losses.append(total / len(samples))
    return head.eval(), losses


def _thinned(
    sample: LineHeadSample, rng: np.random.Generator, *, probability: float
) -> LineHeadSample:
    """Leave a random share of the point matches, at random."""
    if rng.random() >= probability:
        return sample
    weights = sample.matches.weights
    kept = torch.from_numpy(rng.random(weights.shape) < rng.random()).to(weights.device)
    return replace(sample, matches=sample.matches._replace(weights=weights * kept))
