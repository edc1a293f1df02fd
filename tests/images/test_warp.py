"""Images under affine maps: what is found is mapped back, and borders are not found."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.given import check_lines
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.geometry.affine import apply, as_rows, compose, resizing
from gluestick.images import ResizeConfig, resize_image
from gluestick.images.rotation import turn_of_frame, turned_frame
from gluestick.images.view import warped_view
from gluestick.images.warp import BORDER, warp_image, warp_mask
from gluestick.types import ViewFrame

KEEP_SIZE = ResizeConfig(size=None)


def turn(degrees: float) -> np.ndarray:
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def view_of(linear: np.ndarray, image: Tensor, *, crop: float = 1.0) -> ViewFrame:
    """Return the view of the middle of an image under a linear map."""
    size = np.array([image.shape[2], image.shape[1]])
    canvas = np.maximum(np.ceil(crop * abs(linear) @ size), 1).astype(int)
    shift = (canvas - 1) / 2 - linear @ ((size - 1) / 2)
    affine = as_rows(np.column_stack([linear, shift]))
    return ViewFrame(affine=affine, size=(int(canvas[0]), int(canvas[1])))


TILTED = turn(25) @ np.diag([1 / 3, 1.0]) @ turn(40)
VIEWS = {
    "zoomed": (2.5 * turn(10), 0.4),
    "tilted": (TILTED, 1.0),
    "reduced": (0.4 * turn(-70), 1.0),
    "stretched": (turn(20) @ np.diag([2.0, 0.6]), 0.6),
}


@pytest.fixture(scope="module")
def image(leuven: tuple[Tensor, Tensor]) -> Tensor:
    return resize_image(leuven[0], config=ResizeConfig(size=320))[0]


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    points = PointDetectorConfig(name="aliked", max_num_keypoints=200)
    lines = LineDetectorConfig(name="lsd", max_num_lines=60)
    config = FeatureExtractorConfig(points=points, lines=lines, side_colors=True)
    return FeatureExtractor(config)


def waves(width: int, height: int, *, longest: float) -> Tensor:
    """Smooth waves, which any map of them shows at positions that can be computed."""
    x, y = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    return wave_at(torch.stack([x, y], dim=-1).double(), longest=longest).float()[None]


def wave_at(positions: Tensor, *, longest: float) -> Tensor:
    x, y = positions.unbind(-1)
    frequency = 2 * math.pi / longest
    return 0.5 + 0.2 * torch.sin(frequency * x) + 0.2 * torch.cos(frequency * (0.6 * y - 0.5 * x))


@pytest.mark.parametrize("name", VIEWS)
def test_a_pixel_shows_what_lies_where_it_is_mapped_back(name: str) -> None:
    linear, crop = VIEWS[name]
    image = waves(240, 180, longest=60.0)
    frame = view_of(linear, image, crop=crop)
    affine = np.array(frame.affine)
    warped = warp_image(image, affine, size=frame.size)[0]
    allowed = warp_mask(None, affine, size=frame.size, like=image)
    assert warped.shape == allowed.shape == frame.size[::-1]
    back = warped_view(image.expand(3, -1, -1), None, frame=frame, resize=KEEP_SIZE).place
    y, x = torch.nonzero(allowed, as_tuple=True)
    positions = back.to_original(torch.stack([x, y], dim=-1).double())
    assert len(positions) > 100
    error = (warped[y, x] - wave_at(positions, longest=60.0)).abs()
    assert error.max() < 0.05
    assert error.median() < 0.01


def test_what_a_squeeze_cannot_show_is_smoothed_away() -> None:
    """Stripes of 3 px become stripes below a pixel, which would alias to wide ones."""
    stripes = (torch.arange(300) % 3 == 0).float().expand(1, 100, 300)
    affine = np.array([[1 / 3.2, 0, 0], [0, 1.0, 0]])
    squeezed = warp_image(stripes, affine, size=(90, 100))[0, 10:-10, 10:-10]
    assert squeezed.std() < 0.02
    assert abs(squeezed.mean() - stripes.mean()) < 0.02
    untouched = warp_image(stripes.transpose(1, 2), affine, size=(30, 300))[0, 10:-10, 5:-5]
    assert torch.equal(untouched[2::3] > 0.9, torch.ones_like(untouched[2::3]) > 0)


def test_the_mask_keeps_away_from_what_is_masked_and_from_the_border(image: Tensor) -> None:
    mask = torch.ones(image.shape[1:], dtype=torch.bool)
    mask[:, 150:] = False
    frame = view_of(TILTED, image)
    view = warped_view(image, mask, frame=frame, resize=KEEP_SIZE)
    assert view.mask is not None
    y, x = torch.nonzero(view.mask, as_tuple=True)
    seen = torch.stack([x, y], dim=-1).double()
    assert len(seen) > 500
    for away in (BORDER - 0.75) * torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7]]):
        positions = view.place.to_original(seen + away)
        column, row = positions.round().long().unbind(-1)
        assert ((column >= 0) & (column < 150)).all()
        assert ((row >= 0) & (row < image.shape[1])).all()


@pytest.mark.parametrize("seed", range(8))
def test_positions_come_back(image: Tensor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stretches = 10 ** rng.uniform(-0.8, 0.8, size=2)
    linear = turn(rng.uniform(-180, 180)) @ np.diag(stretches) @ turn(rng.uniform(-180, 180))
    frame = view_of(linear, image, crop=rng.uniform(0.3, 1))
    view = warped_view(image, None, frame=frame, resize=ResizeConfig(size=100))
    assert view.image[0].numel() <= 2 * 100**2
    size = torch.tensor([image.shape[2], image.shape[1]])
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(seed)) * size
    back = view.place.to_original(view.place.from_original(points))
    assert (back - points).abs().max() < 0.01
    scale = [new / old for new, old in zip(view.image.shape[:0:-1], frame.size, strict=True)]
    canvas = compose(resizing(scale), np.array(frame.affine))
    expected = apply(canvas, points.double().numpy())
    np.testing.assert_allclose(view.place.from_original(points), expected, atol=0.01)


@pytest.mark.parametrize("name", ["zoomed", "tilted"])
def test_features_lie_in_the_image_and_in_its_mask(
    image: Tensor, extractor: FeatureExtractor, name: str
) -> None:
    linear, crop = VIEWS[name]
    mask = torch.ones(image.shape[1:], dtype=torch.bool)
    mask[:, 190:] = False
    frame = view_of(linear, image, crop=crop)
    features = extractor([image], masks=[mask], views=[frame])
    assert features.views == (frame,)
    assert features.scales[0] == pytest.approx(math.sqrt(abs(np.linalg.det(linear))), rel=0.02)
    for positions in (features.keypoints[0], features.lines[0].reshape(-1, 2)):
        assert len(positions) > 15
        x, y = positions.round().long().unbind(-1)
        assert mask[y, x].all()
    described = features.describe[0](features.keypoints[0])
    assert (described * features.descriptors[0]).sum(-1).min() > 0.99
    again = extractor([image], masks=[mask], views=[frame])
    assert torch.equal(again.keypoints, features.keypoints)
    assert torch.equal(again.lines, features.lines)


def test_lines_of_a_tilted_view_are_lines_of_the_image(
    image: Tensor, extractor: FeatureExtractor
) -> None:
    upright = extractor([image])
    found = extractor([image], views=[view_of(turn(10) @ np.diag([0.6, 1.0]), image)])
    near = 0
    for line in found.lines[0]:
        direction = (line[1] - line[0]) / (line[1] - line[0]).norm()
        away = upright.lines[0] - line[0]
        across = (away[..., 0] * direction[1] - away[..., 1] * direction[0]).abs().amax(dim=1)
        along = (away * direction).sum(-1)
        overlapping = (along.amin(1) < (line[1] - line[0]).norm()) & (along.amax(1) > 0)
        near += bool(((across < 2) & overlapping).any())
    assert len(found.lines[0]) > 20
    assert near > 0.6 * len(found.lines[0])


@pytest.mark.parametrize("linear", [TILTED, turn(30) @ np.diag([1.2, 0.8]), 0.5 * turn(50)])
def test_borders_are_neither_keypoints_nor_lines(
    image: Tensor, extractor: FeatureExtractor, linear: np.ndarray
) -> None:
    """No line runs along the border of the image, and keypoints do not crowd there."""
    features = extractor([image], views=[view_of(linear, image)])
    reach = np.linalg.norm(np.linalg.inv(linear), axis=1)  # px of the image per px of the view
    size = np.array([image.shape[2], image.shape[1]])

    def from_border(positions: np.ndarray) -> np.ndarray:
        """[..., 4], how many px of the view it is to each side of the image."""
        return np.concatenate([positions + 0.5, size - 0.5 - positions], -1) / np.tile(reach, 2)

    ends = from_border(features.lines[0].numpy())  # [L, 2, 4]
    assert len(ends) > 10
    assert not (ends < BORDER + 2).all(axis=1).any()
    grid = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1)
    bands = [
        (distances >= BORDER) & (distances < BORDER + 4)
        for distances in (
            from_border(features.keypoints[0].numpy()).min(-1),
            from_border(grid.astype(float)).min(-1),
        )
    ]
    expected = len(features.keypoints[0]) * bands[1].mean()
    assert bands[0].sum() < 2 * expected + 5


@pytest.mark.parametrize("linear", [TILTED, turn(30) @ np.diag([1.2, 0.8])])
def test_an_even_surface_has_no_features_up_to_its_border(
    extractor: FeatureExtractor, linear: np.ndarray
) -> None:
    """A soft blob in a grey image: there is nothing but the blob to find."""
    x, y = torch.meshgrid(torch.arange(200.0), torch.arange(150.0), indexing="xy")
    blob = torch.exp(-((x - 100) ** 2 + (y - 75) ** 2) / 200)
    image = (0.2 + 0.6 * blob).expand(3, -1, -1)
    features = extractor([image], views=[view_of(linear, image)])
    away = (features.keypoints[0] - torch.tensor([100.0, 75.0])).norm(dim=1)
    assert (features.keypoint_scores[0][away > 50] < 0.01).all()
    assert ((features.lines[0] - torch.tensor([100.0, 75.0])).norm(dim=-1) < 50).all()


def test_lines_of_ones_own_stay_as_they_are(image: Tensor, extractor: FeatureExtractor) -> None:
    own = check_lines([[[10, 20], [200, 30]], [[150, 170], [20, 160]]])
    features = extractor([image], lines=[own], views=[view_of(2.0 * turn(5), image, crop=0.4)])
    assert torch.equal(features.lines[0], own.lines)
    assert features.side_colors is not None
    assert features.side_colors.isfinite().all()


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 30)])
def test_blank_and_tiny_images(
    extractor: FeatureExtractor, size: tuple[int, int], name: str
) -> None:
    blank = torch.full((3, *size), 0.5)
    features = extractor([blank], views=[view_of(VIEWS[name][0], blank)])
    assert features.keypoints.shape == (1, 0, 2)
    assert features.lines.shape == (1, 0, 2, 2)


def test_a_view_that_only_turns_is_a_turn(image: Tensor, extractor: FeatureExtractor) -> None:
    size = image.shape[2], image.shape[1]
    for angle in (90.0, 33.0):
        frame = turned_frame(size, angle=angle)
        assert frame is not None
        assert turn_of_frame(frame, size) == pytest.approx(angle)
        turned, viewed = extractor([image], turns=[angle]), extractor([image], views=[frame])
        assert torch.equal(viewed.lines, turned.lines)
        torch.testing.assert_close(viewed.keypoints, turned.keypoints)
    upright = ViewFrame(affine=((1.0, 0, 0), (0, 1.0, 0)), size=size)
    assert turn_of_frame(upright, size) == 0
    for linear in (TILTED, 1.5 * turn(90)):
        assert turn_of_frame(view_of(linear, image), size) is None


def test_errors(image: Tensor, extractor: FeatureExtractor) -> None:
    frame = view_of(TILTED, image)
    with pytest.raises(ValueError, match="views need one entry per image, 1, found 2"):
        extractor([image], views=[frame, None])
    with pytest.raises(ValueError, match="found both, and 90 degrees"):
        extractor([image], views=[frame], turns=[90.0])
    with pytest.raises(ShapeError):
        extractor([image[0]], views=[frame])
    with pytest.raises(ShapeError):
        extractor([image], masks=[torch.ones(3, 4)], views=[frame])
    with pytest.raises(ValueError, match="make the turn a part of the map"):
        warped_view(image, None, frame=frame, resize=KEEP_SIZE).turned(90.0)
