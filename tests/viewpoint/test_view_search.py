import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import compose, inverse, stretch
from gluestick.images import ResizeConfig, resize_image
from gluestick.images.view import View
from gluestick.images.warp import warp_image
from gluestick.types import Points
from gluestick.viewpoint import view_search
from gluestick.viewpoint.affine_evidence import AffineEvidence
from gluestick.viewpoint.view_search import ViewSearchConfig, search_views, squeezed_frames

SIZE = (320, 240)
QUICK = ViewSearchConfig(sizes=(100,), unsqueezed_sizes=(240,), size=240, num_directions=2)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor()


@pytest.fixture(scope="module")
def whole(leuven: tuple[Tensor, Tensor]) -> Tensor:
    return resize_image(leuven[0], config=ResizeConfig(size=SIZE[0]))[0]


def search(
    extractor: FeatureExtractor,
    image0: Tensor,
    image1: Tensor,
    *,
    config: ViewSearchConfig = QUICK,
    mask1: Tensor | None = None,
) -> list[AffineEvidence]:
    batches = ImageBatch(images=[image0]), ImageBatch(images=[image1], masks=[mask1])
    return search_views(extractor, *batches, config=config)


def assert_near(found: list[AffineEvidence], affine: np.ndarray) -> None:
    scale, tilt = stretch(compose(inverse(affine), found[0].affine))
    assert abs(math.log(scale)) < 0.2
    assert tilt < 1.4
    assert found[0].log10_false_alarms < -2


@pytest.mark.parametrize("angle", [0.0, 45.0])
def test_a_detail_is_found_however_it_is_turned(
    extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor], whole: Tensor, angle: float
) -> None:
    cosine, sine = 5 * math.cos(math.radians(angle)), 5 * math.sin(math.radians(angle))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    affine = np.column_stack([linear, np.array(SIZE) / 2 - linear @ np.array([160.0, 128.0])])
    factor = SIZE[0] / leuven[0].shape[2]
    detail = warp_image(leuven[0], compose(affine, factor * np.eye(2, 3)), size=SIZE)
    assert_near(search(extractor, whole, detail), affine)
    assert_near(search(extractor, detail, whole), inverse(affine))


def test_a_squeezed_photograph_is_found(extractor: FeatureExtractor, whole: Tensor) -> None:
    affine = np.array([[1 / 6, 0, 0], [0, 1.0, 0]])
    squeezed = warp_image(whole, affine, size=(54, 240))
    assert_near(search(extractor, whole, squeezed, config=ViewSearchConfig(sizes=(40,))), affine)


def test_masked_parts_take_no_part(extractor: FeatureExtractor, whole: Tensor) -> None:
    mask = torch.zeros(whole.shape[1:], dtype=torch.bool)
    assert search(extractor, whole, whole, mask1=mask) == []


def test_blank_images_give_nothing(extractor: FeatureExtractor, whole: Tensor) -> None:
    assert search(extractor, torch.full((3, 1, 1), 0.5), whole) == []
    assert search(extractor, whole, torch.full((3, 20, 60), 0.5)) == []


def test_the_search_is_bounded_and_the_same_again(
    extractor: FeatureExtractor, whole: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = []
    detect = extractor.points_in

    def counted(view: View, **options: int) -> Points:
        pixels.append(view.image[0].numel())
        return detect(view, **options)

    noise = torch.rand(whole.shape, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(extractor, "points_in", counted)
    found = [search(extractor, whole, noise) for _ in range(2)]
    num_squeezed = len([*squeezed_frames(SIZE, config=QUICK)])
    assert len(pixels) == 2 * 2 * (1 + 8 * len(QUICK.sizes) + num_squeezed)
    assert sum(pixels) / 2 < 2 * 1.5 * (320 * 240 + 8 * 1.6 * 100 * 75 + 2 * 240 * 180)
    assert sorted(pixels[: len(pixels) // 2]) == sorted(pixels[len(pixels) // 2 :])
    assert len(found[0]) == len(found[1]) <= QUICK.max_candidates


def test_all_views_of_one_size_are_described_at_once(
    extractor: FeatureExtractor,
    leuven: tuple[Tensor, Tensor],
    whole: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = resize_image(leuven[1], config=ResizeConfig(size=SIZE[0]))[0]
    config = replace(QUICK, max_false_alarms=math.inf, max_squeezed_false_alarms=math.inf)
    monkeypatch.setattr(view_search, "_SURE", -math.inf)
    one_by_one = search(extractor, whole, other, config=config)
    numbers = []

    def count(_: nn.Module, inputs: tuple[Tensor]) -> None:
        numbers.append(len(inputs[0]))

    assert isinstance(extractor.point_detector, nn.Module)
    hook = extractor.point_detector.get_submodule("network").register_forward_pre_hook(count)
    monkeypatch.setattr(FeatureExtractor, "accelerated", True)
    found = search(extractor, whole, other, config=config)
    hook.remove()
    assert numbers == [2, 4, 4, 8, 2, 2, 2]  # wholes, quarter turns, others; the sizes of squeezed
    assert len(found) == len(one_by_one) > 0
    for evidence, expected in zip(found, one_by_one, strict=True):
        np.testing.assert_allclose(evidence.affine, expected.affine, rtol=1e-3, atol=0.02)
        assert evidence.inliers.tolist() == expected.inliers.tolist()


def test_squeezed_frames_show_the_whole_image() -> None:
    frames = list(
        squeezed_frames((640, 480), config=ViewSearchConfig(tilts=(2.0, 4.0), num_directions=6))
    )
    assert len(frames) == 3 + 2 * 6
    corners = np.array([[0.0, 0], [639, 0], [639, 479], [0, 479]])
    tilts = [1.0, 1.0, 1.0, *[2.0] * 6, *[4.0] * 6]
    lengths = [320, 200, 120, *[320] * 12]
    for frame, tilt, length in zip(frames, tilts, lengths, strict=True):
        scale, found = stretch(np.array(frame.affine))
        assert found == pytest.approx(tilt)
        assert scale == pytest.approx(length / 640 / math.sqrt(tilt))
        seen = frame.from_original(corners)
        assert (seen > -1).all()
        assert (seen < frame.size).all()


def test_maps_with_far_more_false_alarms_than_the_best_are_not_tried() -> None:
    def left(*alarms: float) -> list[float]:
        found = [
            AffineEvidence(affine=np.eye(2, 3), inliers=np.ones(1, bool), log10_false_alarms=each)
            for each in alarms
        ]
        return [each.log10_false_alarms for each in view_search._worth_trying(found)]

    assert left(-40.0, -12.0, -9.0) == [-40.0, -12.0]
    assert left(1.0, 2.0) == [1.0]
    assert left() == []
