import torch

from gluestick.matching.line_heads.side_appearance import (
    NUM_APPEARANCE_FEATURES,
    appearance_channels,
)

SIDES = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])[..., None]
"""Red on the left, blue on the right."""


def test_equal_sides_agree() -> None:
    channels = appearance_channels(SIDES, SIDES, torch.ones(1))
    assert len(channels) == NUM_APPEARANCE_FEATURES
    agreement, nearer, farther, _, size = (float(value) for value in channels)
    assert (round(agreement, 5), nearer, farther, size) == (1.0, 0.0, 0.0, 0.0)


def test_exchanged_sides_agree_where_lines_run_against_each_other() -> None:
    turned = SIDES.flip(0)
    same = appearance_channels(SIDES, SIDES, torch.ones(1))
    for value, expected in zip(
        appearance_channels(SIDES, turned, -torch.ones(1)), same, strict=True
    ):
        assert torch.equal(value, expected)
    assert float(appearance_channels(SIDES, turned, torch.ones(1))[0]) < -0.99


def test_a_background_that_changes_leaves_the_other_side() -> None:
    changed = SIDES.clone()
    changed[1] = 5.0
    _, nearer, farther, _, _ = appearance_channels(SIDES, changed, torch.ones(1))
    assert float(nearer) == 0.0
    assert float(farther) > 1.0


def test_without_pairs_and_without_colours() -> None:
    assert all(
        len(value) == 0
        for value in appearance_channels(SIDES[..., :0], SIDES[..., :0], SIDES.new_ones(0))
    )
    flat = torch.zeros(2, 3, 1)
    assert all(value.isfinite().all() for value in appearance_channels(flat, flat, torch.ones(1)))
