"""Detectors that see several images at once give what they give one by one."""

import pytest
import torch
from features.points.kinds import KINDS, build
from rendered_scenes import patchwork
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.points.aliked import Aliked
from gluestick.features.points.xfeat import XFeat
from gluestick.features.protocols import BatchedPointDetector
from gluestick.types import Points

BATCHED = ["aliked", "xfeat"]
PRETRAINED = {"aliked": Aliked, "xfeat": XFeat}
SIZE = (75, 101)


def at_once(kind: str, images: list[Tensor], **options) -> tuple[list[Points], list[Points]]:
    """Detect in images at once, and one by one."""
    detector = PRETRAINED[kind].from_pretrained()
    masks = options.pop("masks", [None] * len(images))
    single = [
        detector.detect(image, mask=mask, **options)
        for image, mask in zip(images, masks, strict=True)
    ]
    return detector.detect_each(torch.stack(images), masks=masks, **options), single


def assert_close(found: list[Points], expected: list[Points]) -> None:
    assert len(found) == len(expected)
    positions = torch.tensor([[30.0, 20.0], [-3.0, 70.5], [99.0, 44.0]])
    for one, other in zip(found, expected, strict=True):
        assert one.keypoints.shape == other.keypoints.shape
        torch.testing.assert_close(one.keypoints, other.keypoints, atol=5e-5, rtol=0)
        torch.testing.assert_close(one.scores, other.scores, atol=1e-5, rtol=0)
        torch.testing.assert_close(one.descriptors, other.descriptors, atol=1e-5, rtol=0)
        described = one.describe(positions)
        torch.testing.assert_close(described, other.describe(positions), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", BATCHED)
def test_several_images_at_once(kind: str) -> None:
    images = [patchwork(*SIZE, seed=seed) for seed in range(3)]
    found, expected = at_once(kind, images, max_num_keypoints=60)
    assert_close(found, expected)
    assert all(len(points.keypoints) > 20 for points in found)
    assert not torch.equal(found[0].keypoints[:5], found[1].keypoints[:5])


@pytest.mark.parametrize("kind", BATCHED)
def test_masks_and_blank_images_among_others(kind: str) -> None:
    images = [patchwork(*SIZE), torch.full((3, *SIZE), 0.4), patchwork(*SIZE, seed=1)]
    half = torch.zeros(SIZE, dtype=torch.bool)
    half[:, :50] = True
    found, expected = at_once(kind, images, masks=[half, None, ~half])
    assert_close(found, expected)
    left, blank, right = (points.keypoints for points in found)
    assert len(blank) == 0
    assert left[:, 0].max() < 49.5 < right[:, 0].min()


@pytest.mark.parametrize("kind", BATCHED)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (1, 90)])
def test_tiny_images(kind: str, size: tuple[int, int]) -> None:
    found, expected = at_once(kind, [patchwork(*size, seed=seed) for seed in range(2)])
    assert_close(found, expected)


@pytest.mark.parametrize("kind", BATCHED)
def test_no_keypoints_may_be_asked_for(kind: str) -> None:
    found, expected = at_once(kind, [patchwork(*SIZE)] * 2, max_num_keypoints=0)
    assert_close(found, expected)
    assert [len(points.keypoints) for points in found] == [0, 0]


@pytest.mark.parametrize("kind", BATCHED)
def test_what_does_not_fit_is_an_error(kind: str) -> None:
    detector = build(kind)
    with pytest.raises(ShapeError, match="3 H W"):
        detector.detect_each(torch.rand(3, 20, 20))
    with pytest.raises(ShapeError, match="mask"):
        detector.detect_each(torch.rand(1, 3, 20, 20), masks=[torch.ones(20, 21, dtype=torch.bool)])
    with pytest.raises(ValueError, match="masks need one entry per image"):
        detector.detect_each(torch.rand(2, 3, 20, 20), masks=[None])


def test_which_detectors_see_several_images_at_once(kind: str) -> None:
    assert isinstance(build(kind), BatchedPointDetector) == (kind in BATCHED)
    assert set(BATCHED) < set(KINDS)
