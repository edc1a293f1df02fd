import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.geometry.pixels import (
    centre_to_corner,
    corner_to_centre,
    from_resized,
    to_resized,
)


def test_corners_and_centres_are_half_a_pixel_apart():
    points = torch.tensor([[0.0, 0.0], [3.5, -0.5]])
    torch.testing.assert_close(centre_to_corner(points), points + 0.5)
    torch.testing.assert_close(corner_to_centre(centre_to_corner(points)), points)


def test_resizing_maps_the_image_borders_onto_each_other():
    # 8 x 4 px become 4 x 1 px.
    borders = torch.tensor([[-0.5, -0.5], [7.5, 3.5]])
    mapped = to_resized(borders, scale=(0.5, 0.25))
    torch.testing.assert_close(mapped, torch.tensor([[-0.5, -0.5], [3.5, 0.5]]))


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (5, 2, 2), (2, 3, 2, 2), (2,)])
def test_from_resized_inverts_to_resized(shape):
    points = np.random.default_rng(0).uniform(-10, 2000, shape)
    scale = np.array([0.37, 1.9])
    np.testing.assert_allclose(from_resized(to_resized(points, scale=scale), scale=scale), points)
    tensor, tensor_scale = torch.from_numpy(points), torch.from_numpy(scale)
    torch.testing.assert_close(
        from_resized(to_resized(tensor, scale=tensor_scale), scale=tensor_scale), tensor
    )


def test_types_are_kept():
    assert to_resized(torch.zeros(1, 2), scale=np.array([2.0, 2.0])).dtype == torch.float32
    assert isinstance(to_resized(np.zeros((1, 2)), scale=(2, 2)), np.ndarray)


def test_whole_pixels_become_real_numbers():
    mapped = to_resized(torch.tensor([[3, 1]]), scale=(0.5, 2.0))
    torch.testing.assert_close(mapped, torch.tensor([[1.25, 2.5]]))


def test_wrong_shapes_are_errors():
    with pytest.raises(ShapeError, match=r"\[\.\.\., 2\]"):
        centre_to_corner(torch.zeros(4, 3))
    with pytest.raises(ShapeError, match="two entries"):
        to_resized(torch.zeros(4, 2), scale=(1.0, 2.0, 3.0))
