"""How far results of one device agree with those of another."""

import dataclasses

import torch
from torch import Tensor

from gluestick.types import Matches, Wireframe

Result = tuple[Wireframe, Wireframe, Matches]


def to_cpu(value: object) -> object:
    """Return the fields of a dataclass that are tensors, on the CPU."""
    return {
        field.name: entry.cpu()
        for field in dataclasses.fields(value)
        if isinstance(entry := getattr(value, field.name), Tensor)
    }


def share_kept(found: Tensor, expected: Tensor, *, tolerance: float) -> float:
    """Return the share of rows that others repeat.

    Args:
        found: [M, ...].
        expected: [N, ...] with the same further sizes.
        tolerance: By how much entries may differ.

    Returns:
        The share of ``expected`` that has a like in ``found``, 1 where there are none.
    """
    if len(expected) == 0:
        return 1.0
    rows, others = expected.flatten(1).double().cpu(), found.flatten(1).double().cpu()
    return float((torch.cdist(rows, others, p=torch.inf) <= tolerance).any(1).double().mean())


def matched_points(result: Result) -> Tensor:
    """Return the matched keypoints of a pair, [S, 4] px."""
    return torch.cat(result[2].matched_keypoints(*result[:2]), dim=1)


def matched_lines(result: Result) -> Tensor:
    """Return the matched lines of a pair, [S, 8] px."""
    return torch.cat([lines.flatten(1) for lines in result[2].matched_lines(*result[:2])], dim=1)


def assert_same(found: object, expected: object) -> None:
    """Require all tensors of two dataclasses to be equal to the last bit."""
    ours, theirs = to_cpu(found), to_cpu(expected)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def assert_agrees(found: Result, expected: Result, *, exact: bool) -> None:
    """Require a pair to be matched alike on two devices.

    Args:
        found: The wireframes and matches of one device.
        expected: Those of the CPU.
        exact: Whether every bit is the same; otherwise all matches but two, or one in twenty, are
            within 0.1 px.
    """
    if exact:
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs)
        return
    for matched in (matched_points, matched_lines):
        both = matched(found), matched(expected)
        for ours, theirs in (both, both[::-1]):
            lost = len(theirs) * (1 - share_kept(ours, theirs, tolerance=0.1))
            assert lost <= max(2.01, 0.05 * len(theirs))
