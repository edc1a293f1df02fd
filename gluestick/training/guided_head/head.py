"""Training of the guided line head on pairs whose points are matched already."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.supervision.losses.assignment import line_assignment_loss
from gluestick.supervision.rules import IGNORED
from gluestick.training.guided_head.samples import LineHeadSample

Progress = Callable[[Sequence[int], str], Iterable[int]]
"""Passes the epochs on, one after the other, and shows how far it is under a title."""


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
        The head in evaluation mode on the device of the samples, and the mean loss of each
        epoch. Samples, options and number of threads decide both.

    Raises:
        ValueError: If there is no sample.
    """
    config = config or LineHeadTrainingConfig()
    if not samples:
        raise ValueError("training needs at least one sample, found none")
    rng = np.random.default_rng(config.seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(config.seed)
        head = GuidedLineHead().to(samples[0].endpoint_similarity.device)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.num_epochs * len(samples)
    )
    losses = []
    epochs = range(config.num_epochs)
    for _ in epochs if progress is None else progress(epochs, "training"):
        steps = []
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
            steps.append(loss.detach())
        losses.append(sum(torch.stack(steps).tolist()) / len(samples))
    return head.eval(), losses


@torch.no_grad()
def best_threshold(head: GuidedLineHead, samples: Iterable[LineHeadSample]) -> tuple[float, float]:
    """Return the probability from which on matches of lines are best accepted.

    Args:
        head: The head.
        samples: What it is tried on.

    Returns:
        The threshold from 0.05 to 0.95 with the best F1 score over all lines of all samples, and
        that score.

    Raises:
        ValueError: If there is no sample.
    """
    scores, correct, num_true = [], [], 0
    for sample in samples:
        assignment = head.match(
            sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
        )
        found, true = mutual_matches(assignment, threshold=0.0), sample.truth.matches0
        judged = (found.matches0 > -1) & (true > IGNORED)
        scores.append(found.scores0[judged])
        correct.append((found.matches0 == true)[judged])
        num_true += int((true > -1).sum())
    if not scores:
        raise ValueError("a threshold needs at least one sample, found none")
    every, right = torch.cat(scores), torch.cat(correct)
    thresholds = torch.linspace(0.05, 0.95, 19, device=every.device)
    taken = every > thresholds[:, None]
    f1 = 2 * (taken & right).sum(1) / (taken.sum(1) + num_true)
    return float(thresholds[f1.argmax()]), float(f1.max())


def _thinned(
    sample: LineHeadSample, rng: np.random.Generator, *, probability: float
) -> LineHeadSample:
    """Leave a random share of the point matches, at random."""
    if rng.random() >= probability:
        return sample
    weights = sample.matches.weights
    kept = torch.from_numpy(rng.random(weights.shape) < rng.random()).to(weights.device)
    return replace(sample, matches=sample.matches._replace(weights=weights * kept))
