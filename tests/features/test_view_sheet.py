import math

import numpy as np
import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.view_sheet import _layout, describe_views
from gluestick.images.resize import ResizeConfig
from gluestick.images.view import View, upright_view, warped_view
from gluestick.types import Points, ViewFrame

SIZE = (40, 30)
FRAME = ViewFrame(affine=((0.5, 0.0, 2.0), (0.0, 1.0, 5.0)), size=(30, 44))


class Brightest(torch.nn.Module):
    """Finds every pixel that is not black, and describes it by its brightness."""

    descriptor_dim = 1

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        allowed = image[0] > 0.1 if mask is None else (image[0] > 0.1) & mask
        y, x = allowed.nonzero().T
        scores = image[0][y, x]
        order = scores.argsort(descending=True, stable=True)[:max_num_keypoints]
        keypoints = torch.stack([x, y], dim=1).float()[order]
        return Points(
            keypoints=keypoints,
            scores=scores[order],
            descriptors=scores[order][:, None],
            describe=lambda positions: positions[:, :1],
        )


def views_of(image: Tensor, mask: Tensor | None = None) -> list[View]:
    upright = upright_view(image, mask, resize=ResizeConfig(size=None))
    warped = warped_view(image, mask, frame=FRAME, resize=ResizeConfig(size=None))
    return [upright, upright.turned(90.0), warped, upright.turned(180.0)]


def spots() -> Tensor:
    image = torch.zeros(3, SIZE[1], SIZE[0])
    for index, (x, y) in enumerate(((8, 10), (30, 6), (20, 24))):
        image[:, y, x] = 1 - 0.1 * index
    return image


def test_keypoints_come_back_to_the_image_from_each_view() -> None:
    extractor = FeatureExtractor(point_detector=Brightest())
    upright, turned, squeezed, upside_down = describe_views(
        extractor, views_of(spots()), max_num_keypoints=9
    )
    for found in (upright, turned, upside_down):
        np.testing.assert_allclose(found.positions, [[8, 10], [30, 6], [20, 24]], atol=1e-5)
        np.testing.assert_allclose(found.descriptors[:, 0], [1, 0.9, 0.8], rtol=1e-6)
    distances = np.linalg.norm(squeezed.positions[:, None] - upright.positions, axis=2)
    assert (distances.min(axis=0) < 1.5).all()


def test_each_view_has_its_own_mask() -> None:
    extractor = FeatureExtractor(point_detector=Brightest())
    mask = torch.ones(SIZE[1], SIZE[0], dtype=torch.bool)
    mask[:, 18:] = False
    for found in describe_views(extractor, views_of(spots(), mask), max_num_keypoints=9):
        assert len(found.positions) > 0
        assert (np.linalg.norm(found.positions - [8, 10], axis=1) < 2).all()


def test_the_strongest_of_all_views_are_kept_up_to_a_number_of_each() -> None:
    extractor = FeatureExtractor(point_detector=Brightest())
    bright, dark = (
        upright_view(factor * spots(), None, resize=ResizeConfig(size=None)) for factor in (1, 0.5)
    )
    found = describe_views(extractor, [dark, bright], max_num_keypoints=2)
    assert [len(each.positions) for each in found] == [1, 2]
    np.testing.assert_allclose(found[1].descriptors[:, 0], [1, 0.9], rtol=1e-6)


def test_a_single_view_is_described_as_alone(leuven: tuple[Tensor, Tensor]) -> None:
    extractor = FeatureExtractor(
        FeatureExtractorConfig(points=PointDetectorConfig(name="sift", max_num_keypoints=64))
    )
    view = extractor.view(leuven[0], resize=ResizeConfig(size=200))
    (found,) = describe_views(extractor, [view], max_num_keypoints=64)
    alone = extractor.points_in(view, max_num_keypoints=64)
    distances = np.linalg.norm(found.positions[:, None] - alone.keypoints.numpy(), axis=2)
    assert (distances.min(axis=1) < 0.5).mean() > 0.9


def test_no_views_and_blank_views() -> None:
    extractor = FeatureExtractor(point_detector=Brightest())
    assert describe_views(extractor, [], max_num_keypoints=4) == []
    blank = upright_view(torch.zeros(3, 1, 1), None, resize=ResizeConfig(size=None))
    (found,) = describe_views(extractor, [blank], max_num_keypoints=4)
    assert found.positions.shape == (0, 2)
    assert found.descriptors.shape == (0, 1)


def test_views_lie_apart_on_a_sheet_without_much_waste() -> None:
    rng = np.random.default_rng(0)
    sizes = [tuple(size) for size in rng.integers(20, 300, (12, 2)).tolist()]
    corners, (width, height) = _layout(sizes)
    taken = np.zeros((height, width), dtype=int)
    for (left, top), (columns, rows) in zip(corners, sizes, strict=True):
        assert left >= 8
        assert top >= 8
        taken[top - 8 : top + rows + 8, left - 8 : left + columns + 8] += 1
        assert max(left + columns + 8 - width, top + rows + 8 - height) <= 0
    assert taken.max() == 1
    assert width * height < 1.5 * sum(math.prod(side + 16 for side in size) for size in sizes)
