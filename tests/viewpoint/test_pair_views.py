"""Pairs of which one photograph is a detail of the other, or shows it from another side."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.geometry.homography import transform_points
from gluestick.images import ResizeConfig, resize_image
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches, Wireframe
from gluestick.viewpoint.better_views import MatchedViewConfig
from gluestick.viewpoint.view_modes import View
from gluestick.viewpoint.view_search import ViewSearchConfig

Result = tuple[Wireframe, Wireframe, Matches]

WHOLE = (320, 240)
CLOSER = np.array([[4.0, 0, 159.5 - 4 * 160], [0, 4.0, 119.5 - 4 * 128], [0, 0, 1]])
FROM_THE_SIDE = np.diag([0.25, 1.0, 1.0])


@pytest.fixture(scope="module")
def whole(leuven: tuple[Tensor, Tensor]) -> Tensor:
    return resize_image(leuven[0], config=ResizeConfig(size=WHOLE[0]))[0]


@pytest.fixture(scope="module")
def closer(leuven: tuple[Tensor, Tensor]) -> Tensor:
    """A part of the photograph, four times as close."""
    factor = WHOLE[0] / leuven[0].shape[2]
    H = CLOSER @ np.diag([factor, factor, 1.0])
    image = cv2.warpPerspective(leuven[0].permute(1, 2, 0).numpy(), H, WHOLE)
    return torch.from_numpy(image).permute(2, 0, 1).clamp(0, 1)


@pytest.fixture(scope="module")
def from_the_side(whole: Tensor) -> Tensor:
    """The photograph, squeezed to a quarter of its width."""
    size = WHOLE[1], WHOLE[0] // 4
    return torch.nn.functional.interpolate(whole[None], size=size, mode="bilinear", antialias=True)[
        0
    ]


@pytest.fixture
def matcher(small_matcher: PointLineMatcher) -> Iterator[PointLineMatcher]:
    before = vars(small_matcher).copy()
    yield small_matcher
    for name in ("view", "matched_view", "view_search", "turn_search"):
        setattr(small_matcher, name, before[name])


def match(matcher: PointLineMatcher, view: View, *images: object, **given: object) -> Result:
    matcher.view = view
    return matcher(*images, **given)


@pytest.fixture(scope="module")
def detail(small_matcher: PointLineMatcher, whole: Tensor, closer: Tensor) -> Result:
    """The whole photograph and its detail."""
    before = small_matcher.view
    result = match(small_matcher, "auto", whole, closer)
    small_matcher.view = before
    return result


def right_matches(result: Result, H: np.ndarray) -> int:
    """Count the matches that are right to 3 px of the image with less detail, image 0."""
    points = result[2].matched_keypoints(*result[:2])
    points0, points1 = (each.double().numpy() for each in points)
    back = transform_points(np.linalg.inv(H), points1)
    return int((np.linalg.norm(back - points0, axis=1) < 3).sum())


def test_a_detail_is_matched_in_its_own_size(
    matcher: PointLineMatcher, whole: Tensor, closer: Tensor, detail: Result
) -> None:
    direct = right_matches(match(matcher, "turn", whole, closer), CLOSER)
    assert right_matches(detail, CLOSER) > max(2 * direct, 50)
    assert detail[0].views[0] is not None
    assert detail[1].views[0] is None


def test_either_image_may_be_the_detail(
    matcher: PointLineMatcher, whole: Tensor, closer: Tensor
) -> None:
    found0, found1, matches = match(matcher, "auto", closer, whole)
    points = matches.matched_keypoints(found0, found1)
    points0, points1 = (each.double().numpy() for each in points)
    back = transform_points(np.linalg.inv(CLOSER), points0)
    assert (np.linalg.norm(back - points1, axis=1) < 3).sum() > 50
    assert found0.views[0] is None
    assert found1.views[0] is not None


def test_a_view_from_the_side_is_matched_as_seen_from_there(
    matcher: PointLineMatcher, whole: Tensor, from_the_side: Tensor
) -> None:
    direct = match(matcher, "turn", whole, from_the_side)
    found = match(matcher, "auto", whole, from_the_side)
    assert right_matches(found, FROM_THE_SIDE) > 1.3 * right_matches(direct, FROM_THE_SIDE)
    assert (found[2].line_matches0 > -1).sum() > 1.2 * (direct[2].line_matches0 > -1).sum()
    assert None not in (found[0].views[0], found[1].views[0])


def test_wireframes_in_views_match_again_as_they_did(
    matcher: PointLineMatcher, whole: Tensor, detail: Result
) -> None:
    extracted = matcher.extract(whole, views=detail[0].views)
    for matches in (matcher.match(*detail[:2]), matcher.match(extracted, detail[1])):
        assert torch.equal(matches.matches0, detail[2].matches0)
        assert torch.equal(matches.line_matches0, detail[2].line_matches0)


def test_each_pair_of_a_batch_is_seen_as_alone(
    matcher: PointLineMatcher, whole: Tensor, closer: Tensor, detail: Result
) -> None:
    blank = torch.full((3, 60, 50), 0.5)
    batch = match(matcher, "auto", [blank, whole], [whole, closer])
    assert batch[0].views == (None, detail[0].views[0])
    assert batch[1].views == (None, detail[1].views[0])
    together = batch[2].matched_keypoints(*batch[:2], index=1)
    for points, expected in zip(together, detail[2].matched_keypoints(*detail[:2]), strict=True):
        assert torch.equal(points, expected)
    assert (batch[2].matches0[0] == -1).all()


def test_upright_pairs_are_matched_once(
    matcher: PointLineMatcher, whole: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    network = matcher.network.forward

    def counted(*sides: Wireframe) -> Matches:
        calls.append(1)
        return network(*sides)

    monkeypatch.setattr(matcher.network, "forward", counted)
    found = match(matcher, "auto", whole, whole)
    assert len(calls) == 1
    assert found[0].views == found[1].views == (None,)


def test_mirror_images_have_no_other_view(matcher: PointLineMatcher, whole: Tensor) -> None:
    found = match(matcher, "auto", whole, whole.flip(2))
    expected = match(matcher, "turn", whole, whole.flip(2))
    assert found[0].views == (None,)
    assert torch.equal(found[2].matches0, expected[2].matches0)


def test_blank_and_tiny_images(matcher: PointLineMatcher, whole: Tensor) -> None:
    for size in ((1, 1), (60, 50)):
        blank = torch.full((3, *size), 0.5)
        for pair in ((whole, blank), (blank, whole)):
            assert (match(matcher, "exhaustive", *pair)[2].matches0 == -1).all()


def test_masks_hold_in_views(matcher: PointLineMatcher, whole: Tensor, closer: Tensor) -> None:
    mask = torch.ones(WHOLE[::-1], dtype=torch.bool)
    mask[:, 160:] = False
    found = match(matcher, "auto", whole, closer, mask0=mask)
    x, y = found[0].keypoints[0].round().long().unbind(-1)
    assert found[0].views[0] is not None
    assert mask[y, x].all()
    assert right_matches(found, CLOSER) > 20


def test_the_options_are_the_matchers(
    matcher: PointLineMatcher, whole: Tensor, closer: Tensor
) -> None:
    matcher.matched_view = MatchedViewConfig(min_scale=10.0, min_tilt=10.0)
    matcher.view_search = ViewSearchConfig(max_candidates=0)
    assert match(matcher, "auto", whole, closer)[0].views == (None,)
