import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor
from gluestick.geometry.homography import transform_points
from gluestick.images.perspective_warp import warp_in_perspective, warp_mask_in_perspective
from gluestick.images.resize import ResizeConfig
from gluestick.images.view import warped_view
from gluestick.types import Lines, ViewFrame

WIDTH, HEIGHT = 240, 160
FORESHORTENED = ViewFrame(
    affine=((1.0, 0.1, 5.0), (0.0, 0.8, 6.0)), size=(120, 110), perspective=(0.004, 0.001, 1.0)
)


def random_frame(seed: int) -> ViewFrame:
    """A view in which lengths differ by a factor of about ten between its sides."""
    rng = np.random.default_rng(seed)
    linear = rng.uniform(-1, 1, (2, 2)) + 2 * np.eye(2)
    (a, b), (c, d) = linear.tolist()
    across, down = (rng.choice([-1, 1], 2) * rng.uniform(0.4, 0.9, 2) / [WIDTH, HEIGHT]).tolist()
    depth = 1 - min(across, 0) * WIDTH - min(down, 0) * HEIGHT
    return ViewFrame(
        affine=((a, b, 3.0), (c, d, 2.0)), size=(200, 150), perspective=(across, down, depth)
    )


@pytest.mark.parametrize("seed", range(10))
def test_positions_come_back(seed: int) -> None:
    frame = random_frame(seed)
    points = np.random.default_rng(0).uniform((0, 0), (WIDTH, HEIGHT), (500, 2))
    seen = frame.from_original(torch.tensor(points, dtype=torch.float32))
    np.testing.assert_allclose(seen, transform_points(frame.matrix, points), atol=0.01)
    back = frame.to_original(seen)
    scale = np.linalg.norm(frame.central_affine[:, :2])
    assert abs(back.numpy() - points).max() < 0.01 * max(1.0, 1 / scale)


def test_a_pixel_shows_what_lies_where_it_is_mapped_back() -> None:
    frame = FORESHORTENED
    x = torch.arange(WIDTH, dtype=torch.float32) / WIDTH
    y = torch.arange(HEIGHT, dtype=torch.float32)[:, None] / HEIGHT
    image = torch.stack([x.expand(HEIGHT, -1), y.expand(-1, WIDTH), (x + y) / 2])
    warped = warp_in_perspective(image, frame)
    inside = warp_mask_in_perspective(None, frame, like=image)
    rows, columns = inside.nonzero(as_tuple=True)
    back = frame.to_original(torch.stack([columns, rows], dim=-1).double())
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(warped[0][inside], (back[:, 0] / WIDTH).float(), atol=0.01, rtol=0)
    torch.testing.assert_close(warped[1][inside], (back[:, 1] / HEIGHT).float(), atol=0.01, rtol=0)


def test_what_foreshortening_cannot_show_is_smoothed_away() -> None:
    stripes = torch.arange(WIDTH).remainder(2).float().expand(3, HEIGHT, -1)
    frame = ViewFrame(
        affine=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), size=(90, 100), perspective=(0.006, 0.0, 1.0)
    )
    warped = warp_in_perspective(stripes, frame)[0, 10:40]
    far = slice(60, 80)  # where more than three px of the image become one
    assert abs(warped[:, far] - 0.5).max() < 0.1
    assert warped[:, :6].std() > 0.2


def test_the_mask_keeps_away_from_what_is_masked_and_from_beyond_the_horizon() -> None:
    image = torch.rand(3, HEIGHT, WIDTH)
    mask = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, :60] = False
    inside = warp_mask_in_perspective(mask, FORESHORTENED, like=image)
    rows, columns = inside.nonzero(as_tuple=True)
    seen = torch.stack([columns, rows], dim=-1).double()
    for offset in ((-3.0, 0.0), (3.0, 0.0), (0.0, -3.0), (0.0, 3.0)):
        back = FORESHORTENED.to_original(seen + torch.tensor(offset))
        assert back[:, 0].min() > 59
        assert (back.amax(dim=0) <= torch.tensor([WIDTH, HEIGHT]) - 0.5).all()
    wide = ViewFrame(affine=FORESHORTENED.affine, size=(460, 110), perspective=(0.004, 0.001, 1.0))
    assert not warp_mask_in_perspective(None, wide, like=image)[:, 300:].any()


def test_features_of_a_view_in_perspective(leuven: tuple[Tensor, Tensor]) -> None:
    image = leuven[0]
    height, width = image.shape[1:]
    frame = ViewFrame(
        affine=((0.9, 0.0, 0.0), (0.0, 0.7, 0.0)), size=(260, 200), perspective=(2e-3, 0.0, 1.0)
    )
    extractor = FeatureExtractor()
    own = Lines(lines=torch.tensor([[[9.0, 9.0], [80.0, 60.0]]]), scores=torch.ones(1))
    features = extractor([image], views=[frame])
    assert features.views == (frame,)
    assert features.keypoint_mask.sum() > 50
    assert features.line_mask.sum() > 5
    for positions in (features.keypoints[0], features.lines[0].reshape(-1, 2)):
        assert (positions >= -0.5).all()
        assert (positions <= torch.tensor([width, height]) - 0.5).all()
    given = extractor([image], views=[frame], lines=[own]).lines[0]
    assert torch.equal(given, own.lines)


@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_blank_and_tiny_images(size: tuple[int, int]) -> None:
    image = torch.full((3, size[1], size[0]), 0.5)
    view = warped_view(image, None, frame=FORESHORTENED, resize=ResizeConfig(size=None))
    torch.testing.assert_close(view.image, torch.full((3, 110, 120), 0.5))
    assert len(FeatureExtractor().points_in(view).keypoints) == 0


def test_errors() -> None:
    with pytest.raises(ShapeError, match="warp_in_perspective"):
        warp_in_perspective(torch.zeros(4, 4), FORESHORTENED)
    with pytest.raises(ShapeError, match="mask"):
        warp_mask_in_perspective(torch.zeros(3), FORESHORTENED, like=torch.zeros(3, 4, 4))
