import dataclasses
import pickle

import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.types.views import ViewFrame, one_view_per_image

HALF_TURN = ViewFrame(affine=((-1, 0, 99), (0, -1, 49)), size=(100, 50))
ZOOM = ViewFrame(affine=((2.0, 0.5, -30.0), (0.0, 1.5, 12.0)), size=(300, 120))


@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_positions_are_mapped(kind: type) -> None:
    points = kind([[[0.0, 0.0], [99.0, 49.0]], [[10.0, 4.0], [33.25, 7.5]]])
    mapped = HALF_TURN.from_original(points)
    assert type(mapped) is type(points)
    assert mapped.dtype == points.dtype
    assert mapped.tolist() == [[[99, 49], [0, 0]], [[89, 45], [65.75, 41.5]]]
    assert ZOOM.from_original(points)[1, 0].tolist() == pytest.approx([-8, 18])


def test_any_affine_map_is_precise_in_single_precision() -> None:
    """A crop far from the origin of a large image: what is added up is small."""
    frame = ViewFrame(affine=((7.3, -2.1, -61234.5), (1.9, 6.8, -47891.25)), size=(640, 480))
    generator = torch.Generator().manual_seed(0)
    linear = torch.tensor([row[:2] for row in frame.affine], dtype=torch.float64)
    offset = torch.tensor([row[2] for row in frame.affine], dtype=torch.float64)
    seen = torch.rand(1000, 2, generator=generator, dtype=torch.float64) * 400
    original = ((seen - offset) @ torch.linalg.inv(linear).T).float()
    exact = original.double() @ linear.T + offset
    assert (frame.from_original(original) - exact).abs().max() < 1e-4
    assert (original @ linear.float().T + offset.float() - exact).abs().max() > 1e-3


def test_positions_beyond_the_horizon_stay_finite() -> None:
    frame = ViewFrame(affine=((1, 0, 0), (0, 1, 0)), size=(100, 80), perspective=(-0.005, 0.0, 1.0))
    mapped = frame.from_original(np.array([[100.0, 50.0], [200.0, 50.0], [400.0, 50.0]]))
    np.testing.assert_allclose(mapped[0], [200.0, 100.0])
    assert np.isfinite(mapped).all()
    with pytest.raises(ValueError, match="before the horizon"):
        ViewFrame(affine=((1, 0, 0), (0, 1, 0)), size=(100, 80), perspective=(0.0, 0.0, -1.0))


def test_no_positions() -> None:
    assert ZOOM.from_original(torch.zeros(3, 0, 2)).shape == (3, 0, 2)


def test_views_are_values() -> None:
    assert pickle.loads(pickle.dumps(ZOOM)) == dataclasses.replace(ZOOM)
    assert len({ZOOM, HALF_TURN, dataclasses.replace(ZOOM)}) == 2


def test_one_view_per_image() -> None:
    assert one_view_per_image((), 2) == (None, None)
    assert one_view_per_image((ZOOM, None), 2) == (ZOOM, None)
    assert one_view_per_image((), 0) == ()
    with pytest.raises(ShapeError, match="one entry per image, 3, found 1"):
        one_view_per_image((ZOOM,), 3)


@pytest.mark.parametrize(
    "affine",
    [((1, 0, 0), (2, 0, 5)), ((1, 0, float("nan")), (0, 1, 0)), ((float("inf"), 0, 0), (0, 1, 0))],
)
def test_what_is_no_view_is_refused(affine: tuple) -> None:
    with pytest.raises(ValueError, match="finite map with an inverse"):
        ViewFrame(affine=affine, size=(3, 4))
    with pytest.raises(ValueError, match=r"at least 1 px, found \(3, 0\)"):
        ViewFrame(affine=((1, 0, 0), (0, 1, 0)), size=(3, 0))
