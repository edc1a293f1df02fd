"""What every point detector has to do."""

import pytest
import torch
from features.points.kinds import KINDS, build
from rendered_scenes import patchwork

from gluestick.checks import ShapeError
from gluestick.features.protocols import PointDetector


def assert_valid(points, detector, image):
    height, width = image.shape[1:]
    count = len(points.keypoints)
    assert points.keypoints.shape == (count, 2)
    assert points.descriptors.shape == (count, detector.descriptor_dim)
    assert torch.isfinite(points.keypoints).all()
    assert torch.isfinite(points.scores).all()
    assert (points.keypoints > -0.5).all()
    assert (points.keypoints < torch.tensor([width, height]) - 0.5).all()
    assert (points.scores.diff() <= 0).all()
    torch.testing.assert_close(points.descriptors.norm(dim=1), torch.ones(count))


def test_detects_strongest_first_and_satisfies_the_protocol(kind):
    detector, image = build(kind), patchwork(96, 128)
    assert isinstance(detector, PointDetector)
    points = detector.detect(image)
    assert 10 < len(points.keypoints) <= 40
    assert_valid(points, detector, image)


def test_a_smaller_limit_keeps_the_strongest(kind):
    image = patchwork(96, 128)
    points, fewer = build(kind).detect(image), build(kind, max_num_keypoints=5).detect(image)
    assert len(build(kind, max_num_keypoints=None).detect(image).keypoints) >= 20
    torch.testing.assert_close(fewer.keypoints, points.keypoints[:5])
    for limit in (5, 60):
        given = build(kind).detect(image, max_num_keypoints=limit)
        configured = build(kind, max_num_keypoints=limit).detect(image)
        assert torch.equal(given.keypoints, configured.keypoints)
        assert torch.equal(given.descriptors, configured.descriptors)


def test_no_keypoints_may_be_asked_for(kind):
    detector, image = build(kind), patchwork(96, 128)
    points = detector.detect(image, max_num_keypoints=0)
    assert len(points.keypoints) == 0
    assert_valid(points, detector, image)
    with pytest.raises(ValueError, match="at least 0"):
        detector.detect(image, max_num_keypoints=-1)


def test_a_higher_threshold_and_radius_keep_fewer(kind):
    image = patchwork(96, 128)
    points = build(kind, max_num_keypoints=None).detect(image)
    median = float(points.scores.median())
    fewer = build(kind, max_num_keypoints=None, detection_threshold=abs(median) * 2 + 0.05)
    assert len(fewer.detect(image).keypoints) < len(points.keypoints)
    sparser = build(kind, max_num_keypoints=None, nms_radius=12).detect(image)
    assert len(sparser.keypoints) < len(points.keypoints)


def test_keypoints_lie_in_the_mask(kind):
    image = patchwork(96, 128)
    mask = torch.rand(12, 16, generator=torch.Generator().manual_seed(1)) > 0.5
    mask = mask.repeat_interleave(8, 0).repeat_interleave(8, 1)
    detector = build(kind, max_num_keypoints=None)
    everywhere, inside = detector.detect(image), detector.detect(image, mask=mask)
    x, y = inside.keypoints.round().long().unbind(1)
    assert mask[y, x].all()
    assert 0 < len(inside.keypoints) < len(everywhere.keypoints)
    assert len(detector.detect(image, mask=torch.zeros_like(mask)).keypoints) == 0


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_blank_image_has_no_keypoints_but_descriptors(kind, value):
    detector, image = build(kind), torch.full((3, 40, 56), value)
    points = detector.detect(image)
    assert len(points.keypoints) == 0
    assert_valid(points, detector, image)
    described = points.describe(torch.tensor([[20.0, 10.0], [0.0, 39.0]]))
    torch.testing.assert_close(described.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 90), (5, 3), (31, 33), (200, 9)])
def test_tiny_and_thin_images(kind, height, width):
    detector, image = build(kind), patchwork(height, width)
    points = detector.detect(image)
    assert_valid(points, detector, image)
    described = points.describe(torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0]]))
    torch.testing.assert_close(described.norm(dim=1), torch.ones(2))


def test_describes_none_one_and_positions_outside(kind):
    image = patchwork(96, 128)
    points = build(kind).detect(image)
    assert points.describe(torch.zeros(0, 2)).shape == (0, points.descriptors.shape[1])
    assert points.describe(torch.tensor([[30.0, 20.0]])).shape == (1, points.descriptors.shape[1])
    outside = points.describe(torch.tensor([[-3.0, 20.0], [127.0, 99.0], [-1.0, -1.0]]))
    border = points.describe(torch.tensor([[0.0, 20.0], [127.0, 95.0], [0.0, 0.0]]))
    assert torch.isfinite(outside).all()
    if kind != "superpoint":  # whose map ends 3.5 px inside the image
        torch.testing.assert_close(outside, border)


def test_describing_tells_positions_apart_along_both_axes(kind):
    points = build(kind).detect(patchwork(96, 128))
    positions = torch.tensor([[30.0, 20.0], [90.0, 20.0], [30.0, 70.0]])
    descriptors = points.describe(positions)
    assert (descriptors[0] - descriptors[1]).abs().max() > 1e-4
    assert (descriptors[0] - descriptors[2]).abs().max() > 1e-4
    torch.testing.assert_close(points.describe(positions.flip(0)), descriptors.flip(0))


@pytest.mark.parametrize("kind", ["aliked", "disk", "xfeat", "superpoint"])
def test_descriptors_are_those_at_the_keypoints(kind):
    points = build(kind).detect(patchwork(90, 117))
    torch.testing.assert_close(points.describe(points.keypoints), points.descriptors)


def test_wrong_shapes_are_errors(kind):
    detector = build(kind)
    with pytest.raises(ShapeError, match="3 H W"):
        detector.detect(torch.rand(1, 20, 20))
    with pytest.raises(ShapeError, match="mask"):
        detector.detect(torch.rand(3, 20, 20), mask=torch.ones(20, 21, dtype=torch.bool))


def test_options_out_of_range_are_errors(kind):
    _, config, _ = KINDS[kind]
    with pytest.raises(ValueError, match="max_num_keypoints"):
        config(max_num_keypoints=0)
    with pytest.raises(ValueError, match="nms_radius"):
        config(nms_radius=-1)
