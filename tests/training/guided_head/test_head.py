from dataclasses import replace

import pytest
import torch
from accelerators import Accelerator
from matching.wireframes import matching_pair

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.guidance import PointMatches, in_units
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.supervision.rules import IGNORED, TrueMatches
from gluestick.training.guided_head.head import (
    LineHeadTrainingConfig,
    best_threshold,
    train_line_head,
)
from gluestick.training.guided_head.samples import LineHeadSample


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


def test_the_best_threshold_separates_right_from_wrong() -> None:
    samples = [make_sample(seed) for seed in range(4)]
    head, _ = train_line_head(samples, config=LineHeadTrainingConfig(num_epochs=30, thinning=0.0))
    threshold, f1 = best_threshold(head, samples)
    assert 0.05 <= threshold <= 0.95
    by_hand = []
    for number in range(1, 20):
        right = found = true = 0
        for sample in samples:
            with torch.no_grad():
                assignment = head.match(
                    sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
                )
            matches = mutual_matches(assignment, threshold=number * 0.05).matches0
            found += int((matches > -1).sum())
            right += int(((matches > -1) & (matches == sample.truth.matches0)).sum())
            true += int((sample.truth.matches0 > -1).sum())
        by_hand.append(2 * right / (found + true))
    assert f1 == pytest.approx(max(by_hand), abs=1e-6)
    assert f1 > 0.75
    assert by_hand[round(threshold / 0.05) - 1] == pytest.approx(f1, abs=1e-6)


def test_lines_that_are_ignored_are_not_judged() -> None:
    sample = make_sample(0)
    ignored = torch.full_like(sample.truth.matches0, IGNORED)
    half = ignored.index_copy(1, torch.arange(4), sample.truth.matches0[:, :4])
    head, _ = train_line_head([sample], config=LineHeadTrainingConfig(num_epochs=2))
    with torch.no_grad():
        assignment = head.match(
            sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
        )
    found = mutual_matches(assignment, threshold=0.05).matches0[:, :4]
    right = int((found == sample.truth.matches0[:, :4]).sum())
    _, f1 = best_threshold(head, [replace(sample, truth=TrueMatches(half, ignored))])
    assert f1 >= 2 * right / (int((found > -1).sum()) + 4)


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        train_line_head([])
    with pytest.raises(ValueError, match="at least one sample"):
        best_threshold(GuidedLineHead(), [])
    with pytest.raises(ValueError, match="thinning"):
        LineHeadTrainingConfig(thinning=1.5)
    with pytest.raises(ValueError, match="num_epochs"):
        LineHeadTrainingConfig(num_epochs=0)


def test_it_trains_where_the_samples_are(accelerator: Accelerator) -> None:
    samples = [make_sample(seed) for seed in range(3)]
    config = LineHeadTrainingConfig(num_epochs=3, thinning=0.5)
    expected, losses = train_line_head(samples, config=config)
    moved = [
        LineHeadSample(
            wireframe0=sample.wireframe0.to(accelerator.device),
            wireframe1=sample.wireframe1.to(accelerator.device),
            endpoint_similarity=sample.endpoint_similarity.to(accelerator.device),
            matches=PointMatches(*(value.to(accelerator.device) for value in sample.matches)),
            truth=TrueMatches(*(value.to(accelerator.device) for value in sample.truth)),
        )
        for sample in samples
    ]
    head, found = train_line_head(moved, config=config)
    assert found == pytest.approx(losses, rel=1e-3)
    for ours, theirs in zip(head.parameters(), expected.parameters(), strict=True):
        assert ours.device.type == accelerator.device.type
        torch.testing.assert_close(ours.detach().cpu(), theirs.detach(), atol=1e-3, rtol=1e-2)
    threshold, f1 = best_threshold(head, moved)
    assert (threshold, f1) == pytest.approx(best_threshold(expected, samples), abs=1e-6)
