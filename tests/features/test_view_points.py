from dataclasses import replace

import pytest
import torch
from rendered_scenes import patchwork
from torch import Tensor, nn

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.tiles import TileConfig
from gluestick.features.view_points import described_keypoints
from gluestick.images.view import View

ONCE_BYTES = 310 * 64 * 96
"""What ALIKED takes for one of the images here."""


class Calls:
    """Counts how many images a network was given in each call."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.sizes: list[tuple[int, ...]] = []
        detector = extractor.point_detector
        assert isinstance(detector, nn.Module)
        detector.get_submodule("network").register_forward_pre_hook(self._count)

    def _count(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        self.sizes.append((len(inputs[0]), *inputs[0].shape[2:]))


def make_extractor(name: str = "aliked") -> FeatureExtractor:
    points = PointDetectorConfig(name=name, max_num_keypoints=40)
    return FeatureExtractor(FeatureExtractorConfig(points=points))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU works as an accelerator does."""
    monkeypatch.setattr(FeatureExtractor, "accelerated", True)


def views_of(extractor: FeatureExtractor) -> list[View]:
    """A lying and a standing image, each upright and upside down, in an order of no size."""
    lying, standing = (extractor.view(patchwork(*size)) for size in ((64, 96), (96, 64)))
    return [lying, standing, lying.turned(180), standing.turned(180), lying.turned(90)]


def test_views_of_one_size_are_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = make_extractor()
    calls, views = Calls(extractor), views_of(extractor)
    one_by_one = described_keypoints(extractor, views)
    assert calls.sizes == [
        (1, 64, 96), (1, 96, 64), (1, 64, 96), (1, 96, 64), (1, 96, 64)
    ]  # fmt: skip
    calls.sizes.clear()
    monkeypatch.setattr(FeatureExtractor, "accelerated", True)
    found = described_keypoints(extractor, views)
    assert calls.sizes == [(2, 64, 96), (3, 96, 64)]
    for (keypoints, descriptors), expected in zip(found, one_by_one, strict=True):
        torch.testing.assert_close(keypoints, expected[0], atol=5e-5, rtol=0)
        torch.testing.assert_close(descriptors, expected[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("tiles", "numbers"),
    [
        (TileConfig(memory=2.5 * ONCE_BYTES, overlap=0), [2, 2, 1]),
        (TileConfig(size=64, overlap=0), [1] * 10),
    ],
)
def test_memory_and_tiles_are_kept(at_once: None, tiles: TileConfig, numbers: list[int]) -> None:
    extractor = make_extractor()
    extractor.config = replace(extractor.config, tiles=tiles)
    calls = Calls(extractor)
    described_keypoints(extractor, views_of(extractor))
    assert [size[0] for size in calls.sizes] == numbers


def test_other_detectors_see_one_view_after_the_other(at_once: None) -> None:
    extractor = make_extractor("sift")
    views = views_of(extractor)
    found = described_keypoints(extractor, views, max_num_keypoints=7)
    for view, (keypoints, descriptors) in zip(views, found, strict=True):
        expected = extractor.points_in(view, max_num_keypoints=7)
        assert torch.equal(keypoints, expected.keypoints)
        assert torch.equal(descriptors, expected.descriptors)


def test_no_views() -> None:
    assert described_keypoints(make_extractor("sift"), []) == []
