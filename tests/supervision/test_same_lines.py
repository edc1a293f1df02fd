import torch

from gluestick.supervision.line_truth import line_truth_from_homography
from gluestick.supervision.same_lines import (
    SameLines,
    best_partners,
    foreground_depth,
    same_lines_from_homography,
)

SIZE = torch.tensor([[640, 480]])
EYE = torch.eye(3)[None]


def segments(*ends: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(ends).view(1, -1, 2, 2)


def compare(lines0: torch.Tensor, lines1: torch.Tensor) -> SameLines:
    return same_lines_from_homography(lines0, lines1, EYE, image_size0=SIZE, image_size1=SIZE)


def test_every_fragment_is_the_same_as_the_whole() -> None:
    whole = segments((100, 100, 400, 100), (100, 300, 400, 300))
    fragments = segments((100, 101, 190, 101), (200, 99, 300, 99), (310, 100, 400, 100))
    truth = compare(whole, fragments)
    assert truth.same[0].tolist() == [[True, True, True], [False, False, False]]
    assert truth.known.all()
    # A third of the whole lies beside each fragment, all of the fragment beside the whole.
    assert torch.allclose(truth.overlap[0, 0], torch.tensor(1 / 3).sqrt(), atol=0.05)


def test_partners_are_those_of_the_one_to_one_truth() -> None:
    torch.manual_seed(0)
    starts = torch.rand(1, 40, 1, 2) * 300 + 50
    lines0 = starts + torch.tensor([[0.0, 0.0], [120.0, 60.0]])
    lines1 = lines0[:, torch.randperm(40)] + torch.randn(1, 40, 2, 2) * 3
    partners = best_partners(compare(lines0, lines1))
    expected = line_truth_from_homography(
        lines0, lines1, EYE, image_size0=SIZE, image_size1=SIZE
    ).matches0
    found = torch.where(partners.any(2), partners.int().argmax(2), -1)
    assert torch.equal(found, expected)
    assert (partners.sum(1) <= 1).all()


def test_padding_is_not_known() -> None:
    lines = segments((100, 100, 400, 100), (0, 0, 0, 0))
    mask = torch.tensor([[True, False]])
    truth = same_lines_from_homography(
        lines, lines, EYE, image_size0=SIZE, image_size1=SIZE, mask0=mask, mask1=mask
    )
    assert truth.known[0].tolist() == [[True, False], [False, False]]
    assert not truth.same[0, 1].any()


def test_without_lines() -> None:
    truth = compare(torch.zeros(1, 0, 2, 2), segments((0, 0, 50, 50)))
    assert truth.same.shape == (1, 0, 1)
    assert best_partners(truth).shape == (1, 0, 1)


def test_the_foreground_reaches_farther() -> None:
    depth = torch.full((1, 5, 7), 4.0)
    depth[:, :, 4:] = 2.0
    depth[:, 0, 0] = 0.0
    found = foreground_depth(depth)
    assert found[0, 2].tolist() == [4, 4, 4, 2, 2, 2, 2]
    assert found[0, 0, 0] == 0
    slope = torch.linspace(2, 2.05, 7).expand(1, 5, 7)
    assert torch.equal(foreground_depth(slope), slope)
