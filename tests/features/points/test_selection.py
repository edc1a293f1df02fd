import pytest
import torch

from gluestick.features.points.selection import (
    allowed_pixels,
    chosen_limit,
    lies_in,
    strongest,
    suppress_neighbours,
)


def test_lies_in_rounds_to_the_nearest_pixel():
    allowed = torch.zeros(3, 4, dtype=torch.bool)
    allowed[1, 2] = True
    keypoints = torch.tensor([[2.4, 0.6], [2.6, 1.0], [2.0, 1.6], [-1.0, 1.0], [4.0, 1.0]])
    assert lies_in(keypoints, allowed).tolist() == [True, False, False, False, False]
    assert lies_in(torch.zeros(0, 2), allowed).shape == (0,)


def test_strongest_is_stable():
    scores = torch.tensor([0.5, 0.9, 0.5, 0.1])
    assert strongest(scores, max_num_keypoints=3).tolist() == [1, 0, 2]
    assert strongest(scores, max_num_keypoints=None).tolist() == [1, 0, 2, 3]
    assert strongest(scores[:0], max_num_keypoints=3).tolist() == []


def test_no_keypoints_are_a_number_too():
    assert chosen_limit(0, 1024) == 0
    assert chosen_limit(None, 1024) == 1024
    assert chosen_limit(None, None) is None
    with pytest.raises(ValueError, match="at least 0, found -1"):
        chosen_limit(-1, 1024)


def test_suppression_is_greedy():
    keypoints = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
    assert suppress_neighbours(keypoints, radius=2).tolist() == [True, False, True, False]
    assert suppress_neighbours(keypoints, radius=0).tolist() == [True, True, True, False]


@pytest.mark.parametrize("count", [0, 1])
def test_suppression_of_none_and_one(count):
    assert suppress_neighbours(torch.zeros(count, 2), radius=3).tolist() == [True] * count


@pytest.mark.parametrize("color", [(0.0, 1.0, 0.0), (0.1, 0.7, 0.2), (1.0, 1.0, 1.0)])
def test_one_colour_everywhere_is_blank(color):
    image = torch.tensor(color)[:, None, None].expand(3, 4, 5)
    assert not allowed_pixels(image, None).any()


def test_allowed_pixels_of_a_blank_image_and_of_a_faint_one():
    image = torch.full((3, 4, 5), 0.5)
    assert not allowed_pixels(image, None).any()
    image[0, 0, 0] += 2 / 255
    assert not allowed_pixels(image, None).any()
    image[0, 0, 0] += 1 / 255
    assert allowed_pixels(image, None).all()
    mask = torch.eye(4, 5).bool()
    torch.testing.assert_close(allowed_pixels(image, mask), mask)
