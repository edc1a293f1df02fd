from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.given import check_lines
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.images import ContrastConfig, ResizeConfig
from gluestick.timing import StageTimer
from gluestick.types import Features, Points


def boxes(seed: int = 0, *, width: int = 200, height: int = 150) -> Tensor:
    generator = np.random.default_rng(seed)
    image = torch.full((3, height, width), 0.4)
    for _ in range(25):
        x, y = generator.integers(0, width - 20), generator.integers(0, height - 20)
        w, h = generator.integers(15, 70, 2)
        color = torch.from_numpy(generator.uniform(0, 1, 3)).float()
        image[:, y : y + h, x : x + w] = color[:, None, None]
    return image


def make_extractor(*, size: int | None = None, upscale: bool = False, lines: str = "lsd"):
    return FeatureExtractor(
        FeatureExtractorConfig(
            points=PointDetectorConfig(name="sift", max_num_keypoints=200),
            lines=LineDetectorConfig(name=lines, max_num_lines=40),
            resize=ResizeConfig(size=size, upscale=upscale),
        )
    )


def assert_image_equals(batch: Features, row: int, single: Features) -> None:
    keypoints, lines = batch.keypoint_mask[row], batch.line_mask[row]
    assert torch.equal(batch.image_size[row : row + 1], single.image_size)
    for name in ("keypoints", "keypoint_scores", "descriptors"):
        assert torch.equal(getattr(batch, name)[row, keypoints], getattr(single, name)[0])
    for name in ("lines", "line_scores"):
        assert torch.equal(getattr(batch, name)[row, lines], getattr(single, name)[0])


def test_one_image() -> None:
    extractor = make_extractor()
    features = extractor([boxes()])
    assert features.image_size.tolist() == [[200, 150]]
    assert features.image_size.dtype == torch.int64
    assert features.keypoints.shape[1] > 30
    assert features.descriptors.shape[2] == extractor.descriptor_dim
    assert 20 < features.lines.shape[1] <= 40
    assert features.keypoint_mask.all()
    assert features.line_mask.all()
    assert (features.keypoint_scores.diff() <= 0).all()
    assert (features.line_scores.diff() <= 0).all()


def test_a_batch_gives_exactly_what_single_images_give() -> None:
    extractor = make_extractor(size=160)
    images = [
        boxes(0),
        torch.full((3, 90, 70), 0.5),
        boxes(1, width=120, height=240),
        boxes(2, width=90, height=100),
        torch.zeros(3, 1, 1),
    ]
    batch = extractor(images)
    assert batch.image_size.tolist() == [[200, 150], [70, 90], [120, 240], [90, 100], [1, 1]]
    for row, image in enumerate(images):
        assert_image_equals(batch, row, extractor([image]))
    assert batch.keypoint_mask.any(dim=1).tolist() == [True, False, True, True, False]
    assert batch.line_mask.any(dim=1).tolist() == [True, False, True, True, False]


def test_a_blank_image_has_valid_empty_features() -> None:
    features = make_extractor()([torch.zeros(3, 60, 80)])
    assert features.keypoints.shape == (1, 0, 2)
    assert features.descriptors.shape == (1, 0, 128)
    assert features.lines.shape == (1, 0, 2, 2)
    assert features.describe[0](torch.tensor([[3.0, 4.0]])).shape == (1, 128)


@pytest.mark.parametrize(("size", "upscale"), [(128, False), (333, True)])
def test_results_are_in_pixels_of_the_original(size: int, upscale: bool) -> None:
    image = torch.full((3, 180, 240), 0.2)
    image[:, 60:120, 80:200] = 0.9  # edges at x = 79.5 and 199.5, y = 59.5 and 119.5
    features = make_extractor(size=size, upscale=upscale)([image])
    ends = features.lines[0].reshape(-1, 2)
    edges = torch.tensor([[79.5, 59.5], [199.5, 119.5]])
    to_nearest_edge = (ends[:, None] - edges).abs().flatten(1).amin(dim=1)
    assert len(ends) == 8
    assert to_nearest_edge.max() < 0.25


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1 / 16), (0.3, 120 / 65535)])
def test_no_absolute_grey_level_decides(offset: float, scale: float) -> None:
    image = boxes(0)
    extractor = make_extractor()
    expected, found = extractor([image]), extractor([offset + scale * image])
    assert found.lines.shape[1] == pytest.approx(expected.lines.shape[1], rel=0.05)
    assert found.keypoints.shape[1] >= 0.9 * expected.keypoints.shape[1] > 0


def test_contrast_is_left_alone_where_asked() -> None:
    config = replace(make_extractor().config, contrast=ContrastConfig(mode="none"))
    view = FeatureExtractor(config).view(boxes(0) / 100)
    assert torch.equal(view.image, boxes(0) / 100)


class PositionDetector:
    """Finds the top-left pixel, and describes positions by themselves."""

    descriptor_dim = 2

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        corner = torch.zeros(1, 2)
        return Points(
            keypoints=corner,
            scores=torch.ones(1),
            descriptors=corner,
            describe=lambda positions: positions,
        )


def test_the_sampler_takes_pixels_of_the_original() -> None:
    extractor = make_extractor(size=100)
    extractor.point_detector = PositionDetector()
    features = extractor([boxes(), boxes(width=50, height=25)])
    assert features.keypoints.tolist() == [[[0.5, 0.5]], [[0, 0]]]
    positions = torch.tensor([[0.5, 0.5], [199.5, 149.5], [20.0, 30.0]])
    halved = [[0, 0], [99.5, 74.5], [9.75, 14.75]]
    assert features.describe[0](positions).tolist() == halved
    assert torch.equal(features.describe[1](positions), positions)


def test_nothing_is_found_outside_the_mask() -> None:
    image = boxes()
    mask = torch.zeros(150, 200, dtype=torch.bool)
    mask[30:120, 40:160] = True
    features = make_extractor()([image, image], masks=[mask, None])
    assert 0 < features.keypoint_mask[0].sum() < features.keypoint_mask[1].sum()
    assert 0 < features.line_mask[0].sum() < features.line_mask[1].sum()
    for points in (
        features.keypoints[0][features.keypoint_mask[0]],
        features.lines[0][features.line_mask[0]].reshape(-1, 2),
    ):
        x, y = points.round().long().T
        assert mask[y, x].all()


def test_own_lines_are_used_as_they_are() -> None:
    own = check_lines([[10, 10, 14, 10], [0, 0, 199, 149], [5, 100, 180, 7]], scores=[1, 3, 2])
    image = boxes()
    extractor = make_extractor()
    mask = torch.zeros(150, 200, dtype=torch.bool)
    features = extractor([image, image], lines=[own, None], masks=[mask, None])
    assert torch.equal(features.lines[0][features.line_mask[0]], own.lines)
    assert torch.equal(features.line_scores[0][features.line_mask[0]], own.scores)
    detected = extractor.detect_lines(image)
    assert torch.equal(features.lines[1][features.line_mask[1]], detected.lines)


def test_own_lines_of_another_image_are_refused() -> None:
    extractor = make_extractor(lines="none")
    assert extractor([boxes()], lines=[check_lines([[-1.5, 0, 201, 151]])]).lines.shape[1] == 1
    with pytest.raises(
        ValueError, match=r"200 x 150 px, found x from 10 to 148 and y from 3 to 190"
    ):
        extractor([boxes()], lines=[check_lines([[10, 3, 148, 190]])])
    none = extractor([boxes()], lines=[check_lines([])])
    assert none.lines.shape == (1, 0, 2, 2)


def test_points_and_lines_can_be_had_apart() -> None:
    extractor = make_extractor(size=120)
    features = extractor([boxes()])
    points, lines = extractor.detect_points(boxes()), extractor.detect_lines(boxes())
    assert torch.equal(points.keypoints, features.keypoints[0])
    assert torch.equal(points.descriptors, features.descriptors[0])
    assert torch.equal(lines.lines, features.lines[0])


def test_points_of_a_turned_and_reduced_image_lie_in_the_original() -> None:
    extractor, image = make_extractor(), boxes()
    half = ResizeConfig(size=100)
    upright = extractor.points_in(extractor.view(image, resize=half)).keypoints
    mask = torch.zeros(image.shape[1:], dtype=torch.bool)
    mask[:, 100:] = True
    view = extractor.view(image, mask, resize=half).turned(90.0)
    turned = extractor.points_in(view).keypoints
    assert len(extractor.points_in(view, max_num_keypoints=3).keypoints) == 3
    right = upright[upright[:, 0] > 101]
    assert len(right) > 3
    distances = torch.cdist(right, turned).min(dim=1).values
    assert (distances < 1).float().mean() > 0.8
    assert (turned[:, 0] >= 99).all()


def test_stages_are_timed() -> None:
    timer = StageTimer()
    make_extractor()([boxes(), boxes(1)], timer=timer)
    assert list(timer.seconds) == ["keypoints", "lines"]
    assert min(timer.seconds.values()) > 0


def test_a_network_is_a_part_of_the_module() -> None:
    extractor = make_extractor()
    network = torch.nn.Linear(2, 2)
    extractor.point_detector = network
    assert list(extractor.parameters()) == list(network.parameters())


def test_errors() -> None:
    extractor = make_extractor(lines="none")
    with pytest.raises(ValueError, match="features of at least one image"):
        extractor([])
    with pytest.raises(ShapeError, match=r"image needs the shape \[3 H W\], found \[150, 200\]"):
        extractor([boxes()[0]])
    with pytest.raises(ShapeError, match=r"mask needs the shape \[H W\] with H = 150"):
        extractor([boxes()], masks=[torch.ones(200, 150, dtype=torch.bool)])
    with pytest.raises(ValueError, match="masks need one entry per image, 2, found 1"):
        extractor([boxes(), boxes()], masks=[None])
    with pytest.raises(ValueError, match="lines need one entry per image, 1, found 2"):
        extractor([boxes()], lines=[None, None])
