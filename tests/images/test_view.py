import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.given import check_lines
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.images import ResizeConfig
from gluestick.images.rotation import turn_image, turn_mask, turn_points, turned_frame
from gluestick.images.view import nearest_quarter_turn, upright_view

QUARTERS = (90.0, 180.0, -90.0)
KEEP_SIZE = ResizeConfig(size=None)


@pytest.fixture(scope="module")
def image(leuven: tuple[Tensor, Tensor]) -> Tensor:
    """A part of a photograph of odd width and even height."""
    return leuven[0][:, 100:280, 200:441]


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return make_extractor(size=None)


def make_extractor(*, size: int | None) -> FeatureExtractor:
    points = PointDetectorConfig(name="aliked", max_num_keypoints=200)
    lines = LineDetectorConfig(name="lsd", max_num_lines=40)
    return FeatureExtractor(
        FeatureExtractorConfig(points=points, lines=lines, resize=ResizeConfig(size=size))
    )


@pytest.mark.parametrize("turn", QUARTERS)
@pytest.mark.parametrize("size", [None, 160])
def test_a_turned_image_gives_the_features_of_the_upright_one(
    image: Tensor, turn: float, size: int | None
) -> None:
    extractor = make_extractor(size=size)
    mask = torch.ones(image.shape[1:], dtype=torch.bool)
    mask[40:80, 100:180] = False
    upright = extractor([image], masks=[mask])
    turned = extractor(
        [turn_image(image, angle=turn)], masks=[turn_mask(mask, angle=turn)], turns=[-turn]
    )
    width, height = image.shape[2], image.shape[1]
    for name in ("keypoints", "lines"):
        expected = turn_points(getattr(upright, name), image_size=(width, height), angle=turn)
        assert expected.shape[1] > 10
        assert torch.allclose(getattr(turned, name), expected, atol=1e-3)
    for name in ("keypoint_scores", "descriptors", "line_scores"):
        assert torch.allclose(getattr(turned, name), getattr(upright, name), atol=1e-3)
    positions = torch.tensor([[10.0, 20.0], [100.5, 60.25], [240.0, 179.0]])
    described = turned.describe[0](turn_points(positions, image_size=(width, height), angle=turn))
    assert torch.allclose(described, upright.describe[0](positions), atol=1e-3)


def test_any_turn_maps_back(image: Tensor, extractor: FeatureExtractor) -> None:
    mask = torch.ones(image.shape[1:], dtype=torch.bool)
    mask[:, 150:] = False
    features = extractor([image], masks=[mask], turns=[30.0])
    assert features.keypoints.shape[1] > 50
    x, y = features.keypoints[0].round().long().unbind(-1)
    assert mask[y, x].all()
    assert torch.equal(features.lines, extractor([image], masks=[mask]).lines)
    described = features.describe[0](features.keypoints[0])
    assert (described * features.descriptors[0]).sum(-1).median() > 0.99


def test_each_image_of_a_batch_has_its_own_turn(image: Tensor, extractor: FeatureExtractor) -> None:
    images, turns = [image, image[:, :100, :120], image], [90.0, 0.0, -20.0]
    batch = extractor(images, turns=turns)
    for row, (single, turn) in enumerate(zip(images, turns, strict=True)):
        alone = extractor([single], turns=[turn])
        assert torch.equal(batch.keypoints[row, batch.keypoint_mask[row]], alone.keypoints[0])
        assert torch.equal(batch.lines[row, batch.line_mask[row]], alone.lines[0])
    assert batch.image_size.tolist() == [[241, 180], [120, 100], [241, 180]]
    sizes = batch.image_size.tolist()
    assert batch.views == tuple(
        turned_frame(size, angle=turn) for size, turn in zip(sizes, turns, strict=True)
    )
    assert batch.views[1] is None


def test_given_lines_stay_as_they_are(image: Tensor, extractor: FeatureExtractor) -> None:
    own = check_lines([[[10, 20], [200, 30]], [[150, 170], [20, 160]]])
    features = extractor([image], lines=[own], turns=[90.0])
    assert torch.equal(features.lines[0], own.lines)


@pytest.mark.parametrize("turn", [90.0, 45.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 30)])
def test_blank_and_tiny_images(size: tuple[int, int], turn: float) -> None:
    features = make_extractor(size=None)([torch.full((3, *size), 0.5)], turns=[turn])
    assert features.keypoints.shape == (1, 0, 2)
    assert features.lines.shape == (1, 0, 2, 2)
    assert features.image_size.tolist() == [[size[1], size[0]]]


def test_an_upright_view_is_not_copied(image: Tensor) -> None:
    view = upright_view(image, None, resize=KEEP_SIZE)
    assert view.turned(0.0) is view
    assert view.turned(-360.0) is view
    assert view.turned(90.0).mask is None


@pytest.mark.parametrize(("turn", "nearest"), [(0, 0), (44, 0), (-50, -90), (134, 90), (180, 180)])
def test_nearest_quarter_turn(turn: float, nearest: float) -> None:
    assert nearest_quarter_turn(turn) == nearest


def test_errors(image: Tensor, extractor: FeatureExtractor) -> None:
    with pytest.raises(ValueError, match="turns need one entry per image, 1, found 2"):
        extractor([image], turns=[0.0, 90.0])
    with pytest.raises(ValueError, match="finite"):
        extractor([image], turns=[float("nan")])
    with pytest.raises(ShapeError):
        upright_view(image[0], None, resize=KEEP_SIZE)
