import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.images.rotation import (
    quarter_turns,
    turn_image,
    turn_mask,
    turn_points,
    turn_points_back,
    turned_frame,
    turned_size,
)

QUARTERS = (0.0, 90.0, 180.0, 270.0, -90.0, 450.0)
SIZES = ((6, 4), (5, 4), (4, 7), (5, 3), (1, 1), (1, 5), (6, 1))


def pixel_positions(width: int, height: int) -> Tensor:
    """Return the positions of all pixels, [H, W, 2]."""
    x, y = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    return torch.stack([x, y], dim=-1).float()


@pytest.mark.parametrize("angle", QUARTERS)
@pytest.mark.parametrize("size", SIZES)
def test_quarter_turns_move_every_pixel_to_its_turned_position(
    size: tuple[int, int], angle: float
) -> None:
    width, height = size
    image = torch.arange(3 * width * height).reshape(3, height, width).float()
    mask = image[0] % 3 > 0
    turned, turned_mask = turn_image(image, angle=angle), turn_mask(mask, angle=angle)
    assert turned_size(size, angle=angle) == (turned.shape[2], turned.shape[1])
    positions = pixel_positions(width, height)
    x, y = turn_points(positions, image_size=size, angle=angle).long().unbind(-1)
    assert torch.equal(turned[:, y, x], image)
    assert torch.equal(turned_mask[y, x], mask)


@pytest.mark.parametrize("angle", QUARTERS)
@pytest.mark.parametrize("size", SIZES)
def test_quarter_turns_map_back_exactly(size: tuple[int, int], angle: float) -> None:
    positions = pixel_positions(*size)
    there = turn_points(positions, image_size=size, angle=angle)
    assert torch.equal(turn_points_back(there, image_size=size, angle=angle), positions)
    segments = positions.reshape(-1, 1, 2).expand(-1, 2, 2) + torch.tensor(
        [[0.0, 0.0], [0.5, 0.25]]
    )
    there = turn_points(segments, image_size=size, angle=angle)
    assert torch.equal(turn_points_back(there, image_size=size, angle=angle), segments)


@pytest.mark.parametrize("size", [(6000, 4001), (333, 1024), (1, 5), (1, 1)])
def test_a_frame_maps_positions_to_the_bit(size: tuple[int, int]) -> None:
    """Quarter turns round nothing but the result; others round as single precision does."""
    width, height = size
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(200, 2, generator=generator) * torch.tensor(size)
    x, y = points.unbind(-1)
    quarters = {
        90.0: (height - 1 - y, x),
        180.0: (width - 1 - x, height - 1 - y),
        -90.0: (y, width - 1 - x),
    }
    for angle, expected in quarters.items():
        frame = turned_frame(size, angle=angle)
        assert torch.equal(frame.from_original(points), torch.stack(expected, dim=-1))
    for angle in (30.0, -140.25, 359.0, 1e-3):
        frame = turned_frame(size, angle=angle)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        x, y = (points - (torch.tensor(size) - 1) / 2).unbind(-1)
        expected = (
            cosine * x - sine * y + (frame.size[0] - 1) / 2,
            sine * x + cosine * y + (frame.size[1] - 1) / 2,
        )
        assert torch.equal(frame.from_original(points), torch.stack(expected, dim=-1))
        assert frame.size == turned_size(size, angle=angle)
    assert turned_frame(size, angle=-360.0) is None


def test_a_turn_by_90_degrees_is_clockwise_as_seen() -> None:
    image = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert turn_image(image, angle=90).tolist() == [[4, 1], [5, 2], [6, 3]]
    points = np.array([[0.0, 0.0], [2.0, 1.0], [0.25, 0.5]])
    turned = turn_points(points, image_size=(3, 2), angle=90)
    assert turned.tolist() == [[1.0, 0.0], [0.0, 2.0], [0.5, 0.25]]


@pytest.mark.parametrize("angle", [-170.0, -33.3, 0.5, 45.0, 100.0])
@pytest.mark.parametrize("size", [(40, 30), (31, 17), (1, 1)])
def test_other_angles_map_back(size: tuple[int, int], angle: float) -> None:
    positions = pixel_positions(*size).double()
    there = turn_points(positions, image_size=size, angle=angle)
    back = turn_points_back(there, image_size=size, angle=angle)
    assert torch.allclose(back, positions, atol=1e-9)
    copy_size = torch.tensor(turned_size(size, angle=angle))
    assert (there >= -0.5).all()
    assert (there <= copy_size - 0.5).all()


@pytest.mark.parametrize("angle", [30.0, 135.0, -75.0])
def test_other_angles_show_the_image_where_points_are_mapped(angle: float) -> None:
    size = 60, 44
    x, y = pixel_positions(*size).unbind(-1)
    ramp = torch.stack([x / 60, y / 44, (x + y) / 104])
    turned = turn_image(ramp, angle=angle)
    assert (turned.shape[2], turned.shape[1]) == turned_size(size, angle=angle)
    mask = turn_mask(torch.ones(44, 60, dtype=torch.bool), angle=angle)
    assert mask.float().mean() > 0.3
    origins = turn_points_back(
        pixel_positions(turned.shape[2], turned.shape[1]), image_size=size, angle=angle
    )
    x, y = origins.unbind(-1)
    expected = torch.stack([x / 60, y / 44, (x + y) / 104])
    assert torch.allclose(turned[:, mask], expected[:, mask], atol=1e-4)


@pytest.mark.parametrize("angle", [10.0, 45.0, -100.0])
def test_what_is_allowed_after_any_turn_lies_in_the_mask(angle: float) -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(40, 53, dtype=torch.bool)
    for row, column in torch.randint(0, 40, (4, 2), generator=generator).tolist():
        mask[row, column] = False
    turned = turn_mask(mask, angle=angle)
    assert 0.2 < turned.float().mean() < 1
    rows, columns = turned.nonzero().unbind(-1)
    centres = torch.stack([columns, rows], dim=-1).float()
    found = centres + torch.rand(centres.shape, generator=generator) - 0.5
    back = turn_points_back(found, image_size=(53, 40), angle=angle)
    x, y = back.round().long().unbind(-1)
    assert (x >= 1).all()
    assert (x <= 51).all()
    assert (y >= 1).all()
    assert (y <= 38).all()
    assert mask[y, x].all()


def test_a_tiny_image_turned_by_any_angle_allows_nothing() -> None:
    assert turn_image(torch.full((3, 1, 1), 0.25), angle=30).unique().tolist() == [0.25]
    assert not turn_mask(torch.ones(1, 1, dtype=torch.bool), angle=30).any()


def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"\[\.\.\., H, W\]"):
        turn_image(torch.zeros(5), angle=90)
    with pytest.raises(ShapeError, match="turn_mask"):
        turn_mask(torch.zeros(1, 5, 5, dtype=torch.bool), angle=90)
    with pytest.raises(ShapeError, match=r"\[\.\.\., 2\]"):
        turn_points(torch.zeros(4, 3), image_size=(5, 5), angle=90)
    with pytest.raises(ShapeError, match=r"\[\.\.\., 2\]"):
        turn_points_back(torch.zeros(4, 3), image_size=(5, 5), angle=30)
    with pytest.raises(ValueError, match="finite"):
        quarter_turns(float("nan"))


@pytest.mark.parametrize("angle", [45.0, -160.0])
def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch, angle: float) -> None:
    image = torch.rand(3, 40, 61, generator=torch.Generator().manual_seed(0))
    mask = image[0] < 0.9
    whole = turn_image(image, angle=angle), turn_mask(mask, angle=angle)
    monkeypatch.setattr("gluestick.images.rotation._PIXELS_AT_ONCE", 500)
    assert torch.equal(turn_image(image, angle=angle), whole[0])
    assert torch.equal(turn_mask(mask, angle=angle), whole[1])
