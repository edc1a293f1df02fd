from dataclasses import replace

import pytest
import torch
from matching.wireframes import matching_pair

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.guidance import PointMatches, in_units
from gluestick.supervision.rules import TrueMatches
from gluestick.training.line_head import (
    LineHeadSample,
    LineHeadTrainingConfig,
    line_assignment_loss,
    train_line_head,
)


def make_sample(seed: int) -> LineHeadSample:
    """Return a pair whose endpoints say nothing, so that only its points can guide the lines."""
    wireframe0, wireframe1 = matching_pair(80, 16, 8, seed=seed)
    carried = 0.98 * wireframe0.lines[0] + 3  # [L, 2, 2]
    apart = (carried[:, None] - wireframe1.lines[0][None]).abs().sum((2, 3))
    positions0 = in_units(wireframe0.keypoints, wireframe0)
    return LineHeadSample(
        wireframe0=wireframe0,
        wireframe1=wireframe1,
        endpoint_similarity=torch.zeros(1, 16, 16),
        matches=PointMatches(positions0, 0.98 * positions0 + 3, torch.ones(1, 96)),
        truth=TrueMatches(apart.argmin(1)[None], apart.argmin(0)[None]),
    )


def test_it_learns_to_follow_the_points() -> None:
    samples = [make_sample(seed) for seed in range(12)]
    config = LineHeadTrainingConfig(num_epochs=30, thinning=0.0)
    head, losses = train_line_head(samples[:8], config=config)
    assert losses[-1] < 0.1 * losses[0]
    assert not head.training
    with torch.no_grad():
        for sample in samples[8:]:
            assignment = head.match(
                sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
            )
            found = mutual_matches(assignment, threshold=0.5).matches0
            assert (found == sample.truth.matches0).float().mean() >= 0.75


def test_a_seed_decides_everything() -> None:
    samples = [make_sample(seed) for seed in range(3)]
    config = LineHeadTrainingConfig(num_epochs=2, thinning=0.5, seed=4)
    state = torch.random.get_rng_state()
    runs = [train_line_head(samples, config=config) for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert runs[0][1] == runs[1][1]
    for first, second in zip(runs[0][0].parameters(), runs[1][0].parameters(), strict=True):
        assert torch.equal(first, second)
    other = train_line_head(samples, config=replace(config, seed=5))
    assert other[1] != runs[0][1]


def test_loss_of_a_small_assignment() -> None:
    assignment = -torch.arange(12.0).view(1, 3, 4)
    truth = TrueMatches(torch.tensor([[1, -1]]), torch.tensor([[-2, 0, -1]]))
    # The match costs 1; line 1 of image 0 unmatched costs 7, line 2 of image 1 costs 10.
    assert line_assignment_loss(assignment, truth) == pytest.approx(1 + 8.5)


def test_ignored_lines_have_no_loss() -> None:
    assignment = torch.full((1, 3, 3), float("-inf"), requires_grad=True)
    ignored = torch.full((1, 2), -2)
    loss = line_assignment_loss(assignment, TrueMatches(ignored, ignored))
    loss.backward()
    assert loss == 0
    assert not assignment.grad.isnan().any()


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        train_line_head([])
    with pytest.raises(ValueError, match="thinning"):
        LineHeadTrainingConfig(thinning=1.5)
    with pytest.raises(ValueError, match="num_epochs"):
        LineHeadTrainingConfig(num_epochs=0)
