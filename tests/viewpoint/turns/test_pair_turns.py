from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from gluestick.features.image_batch import ImageBatch
from gluestick.features.lines.given import check_lines
from gluestick.images import ResizeConfig, resize_image
from gluestick.images.rotation import turn_image, turn_mask, turn_points, turn_points_back
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe
from gluestick.viewpoint.turns.pair_turns import turns_to_try, vote_turns
from gluestick.viewpoint.turns.relative_turn import RelativeTurn, RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_modes import Rotation

Result = tuple[Wireframe, Wireframe, Matches]


@pytest.fixture(scope="module")
def pair(leuven: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Photographs of an odd and an even size, small, to be quick."""
    small = ResizeConfig(size=300)
    image0, image1 = (resize_image(image, config=small)[0] for image in leuven)
    return image0, image1[:, :, 1:]


@pytest.fixture(scope="module")
def upright(small_matcher: PointLineMatcher, pair: tuple[Tensor, Tensor]) -> Result:
    """What the upright pair gives."""
    wireframes = small_matcher.extract(pair[0]), small_matcher.extract(pair[1])
    return *wireframes, small_matcher.match(*wireframes)


@pytest.fixture
def matcher(small_matcher: PointLineMatcher) -> Iterator[PointLineMatcher]:
    before = small_matcher.view
    yield small_matcher
    small_matcher.view = before


def match(
    matcher: PointLineMatcher, rotation: Rotation, *images: Tensor, **given: object
) -> Result:
    matcher.rotation = rotation
    return matcher(*images, **given)


def assert_turned(result: Result, upright: Result, *, turn: float) -> None:
    """Check that image 1 of a pair, turned, has the same features and matches."""
    (wireframe0, wireframe1, matches), (upright0, upright1, expected) = result, upright
    width, height = upright1.image_size[0].tolist()
    assert torch.equal(wireframe0.keypoints, upright0.keypoints)
    for name in ("keypoints", "lines", "detected_lines"):
        positions = turn_points(getattr(upright1, name), image_size=(width, height), angle=turn)
        assert torch.allclose(getattr(wireframe1, name), positions, atol=1e-2)
    for name in ("matches0", "matches1", "line_matches0", "line_matches1", "junction_matches0"):
        assert torch.equal(getattr(matches, name), getattr(expected, name))
    for name in ("matching_scores0", "line_matching_scores0"):
        assert torch.allclose(getattr(matches, name), getattr(expected, name), atol=1e-3)
    assert (matches.matches0 > -1).sum() > 20
    assert (matches.line_matches0 > -1).sum() > 5


def test_upright_photographs_are_not_touched(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], upright: Result
) -> None:
    for rotation in ("none", "auto", "exhaustive"):
        assert_turned(match(matcher, rotation, *pair), upright, turn=0)


@pytest.mark.parametrize("turn", [90.0, 180.0, -90.0])
def test_a_turned_pair_gives_the_matches_of_the_upright_one(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], upright: Result, turn: float
) -> None:
    turned = match(matcher, "auto", pair[0], turn_image(pair[1], angle=turn))
    assert_turned(turned, upright, turn=turn)


def test_masks_and_own_lines_are_turned_along(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor]
) -> None:
    image0, image1 = pair
    size = image1.shape[2], image1.shape[1]
    mask = torch.ones(image1.shape[1:], dtype=torch.bool)
    mask[:60] = False
    lines1 = matcher.extract(image1).detected_lines[0]
    upright = match(matcher, "none", *pair, mask1=mask, lines1=lines1)
    turned = match(
        matcher,
        "auto",
        image0,
        turn_image(image1, angle=90),
        mask1=turn_mask(mask, angle=90),
        lines1=turn_points(lines1, image_size=size, angle=90),
    )
    assert_turned(turned, upright, turn=90)
    own = turn_points(check_lines(lines1).lines, image_size=size, angle=90)
    assert torch.equal(turned[1].detected_lines[0], own)


def test_any_angle(matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], upright: Result) -> None:
    image0, image1 = pair
    size = image1.shape[2], image1.shape[1]
    upright0, upright1, expected = upright
    wireframe0, wireframe1, matches = match(
        matcher, "auto", image0, turn_image(image1, angle=-140.0)
    )
    points0, points1 = matches.matched_keypoints(wireframe0, wireframe1)
    points1 = turn_points_back(points1, image_size=size, angle=-140.0)
    motion = (points1 - points0).median(dim=0).values
    reference = torch.sub(*reversed(expected.matched_keypoints(upright0, upright1)))
    assert len(points0) > 0.7 * len(reference)
    assert torch.allclose(motion, reference.median(dim=0).values, atol=8)


def test_each_pair_of_a_batch_decides_alone(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor]
) -> None:
    image0, image1 = pair
    turned, blank = turn_image(image1, angle=90), torch.full((3, 60, 50), 0.5)
    _, wireframe1, matches = match(
        matcher, "auto", [image0, image0, image0], [image1, blank, turned]
    )
    assert wireframe1.image_size.tolist()[0] == wireframe1.image_size.tolist()[2][::-1]
    num_matched = (matches.matches0 > -1).sum(dim=1).tolist()
    assert num_matched[0] == num_matched[2] > 20
    assert num_matched[1] == 0
    assert torch.equal(matches.line_matches0[0], matches.line_matches0[2])


@pytest.fixture
def no_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vote is confident."""
    monkeypatch.setattr(
        "gluestick.viewpoint.pair_views.vote_turns",
        lambda batch0, *_, **__: [None] * len(batch0.images),
    )


def search_finds(monkeypatch: pytest.MonkeyPatch, angle: float | None) -> list[float | None]:
    """Let every search find an angle, or nothing; the list that is returned grows by each."""
    searches: list[float | None] = []

    def search(*_: object, **__: object) -> RelativeTurn:
        searches.append(angle)
        return RelativeTurn(
            angle=angle or 0.0, trust=3.0, num_inliers=10, confident=angle is not None
        )

    monkeypatch.setattr("gluestick.viewpoint.turns.pair_turns.search_turn", search)
    return searches


@pytest.mark.parametrize("turn", [90.0, 180.0])
def test_a_turn_without_a_vote_is_searched(
    matcher: PointLineMatcher,
    pair: tuple[Tensor, Tensor],
    upright: Result,
    no_votes: None,
    turn: float,
) -> None:
    turned = match(matcher, "auto", pair[0], turn_image(pair[1], angle=turn))
    assert_turned(turned, upright, turn=turn)


def test_each_pair_of_a_batch_is_searched_alone(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], no_votes: None
) -> None:
    image0, image1 = pair
    turned, blank = turn_image(image1, angle=180), torch.full((3, 60, 50), 0.5)
    _, _, matches = match(matcher, "auto", [image0, image0, image0], [image1, blank, turned])
    num_matched = (matches.matches0 > -1).sum(dim=1).tolist()
    assert num_matched[0] == num_matched[2] > 20
    assert num_matched[1] == 0


def test_nothing_is_searched_where_matching_works(
    matcher: PointLineMatcher,
    pair: tuple[Tensor, Tensor],
    upright: Result,
    no_votes: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searches = search_finds(monkeypatch, 180.0)
    assert_turned(match(matcher, "auto", *pair), upright, turn=0)
    match(matcher, "auto", pair[0], torch.full((3, 60, 50), 0.5))
    match(matcher, "none", pair[0], turn_image(pair[1], angle=180))
    assert searches == []
    monkeypatch.setattr(matcher, "turn_search", TurnSearchConfig(min_support=1.0))
    assert_turned(match(matcher, "auto", *pair), upright, turn=0)
    assert searches == [180.0]


def test_a_found_turn_is_kept_only_if_it_matches_better(
    matcher: PointLineMatcher,
    pair: tuple[Tensor, Tensor],
    upright: Result,
    no_votes: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upside_down = turn_image(pair[1], angle=180)
    as_it_is = match(matcher, "none", pair[0], upside_down)
    for wrong in (None, 0.0, 90.0):
        searches = search_finds(monkeypatch, wrong)
        _, _, matches = match(matcher, "auto", pair[0], upside_down)
        assert len(searches) == 1
        assert matches.matching_scores0.sum() >= as_it_is[2].matching_scores0.sum()
        assert (matches.matches0 > -1).sum() < 20
    search_finds(monkeypatch, 180.0)
    assert_turned(match(matcher, "auto", pair[0], upside_down), upright, turn=180)


def test_a_wrong_vote_is_corrected(
    matcher: PointLineMatcher,
    pair: tuple[Tensor, Tensor],
    upright: Result,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gluestick.viewpoint.pair_views.vote_turns", lambda *_, **__: [180.0])
    assert_turned(match(matcher, "auto", *pair), upright, turn=0)


def test_exhaustive_tries_the_four_upright_turns(
    matcher: PointLineMatcher,
    pair: tuple[Tensor, Tensor],
    upright: Result,
    no_votes: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image0, image1 = pair
    search_finds(monkeypatch, None)
    for turn in (180.0, -90.0):
        turned = match(matcher, "exhaustive", image0, turn_image(image1, angle=turn))
        assert_turned(turned, upright, turn=turn)
    blank = torch.full((3, 40, 50), 0.5)
    _, wireframe1, matches = match(matcher, "exhaustive", image0, blank)
    assert wireframe1.image_size.tolist() == [[50, 40]]
    assert (matches.matches0 == -1).all()


def test_synchronised_turns_are_given_to_extraction_alone(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], upright: Result
) -> None:
    images = [turn_image(pair[0], angle=-90), turn_image(pair[1], angle=180)]
    wireframes = [
        matcher.extract(image, turns=[turn])
        for image, turn in zip(images, (90.0, 180.0), strict=True)
    ]
    matches = matcher.match(*wireframes)
    assert torch.equal(matches.matches0, upright[2].matches0)
    assert torch.equal(matches.line_matches0, upright[2].line_matches0)


def test_the_vote_is_timed(matcher: PointLineMatcher, pair: tuple[Tensor, Tensor]) -> None:
    timer = StageTimer()
    match(matcher, "auto", *pair, timer=timer)
    assert set(timer.seconds) == {"rotation", "keypoints", "lines", "wireframe", "matching"}
    assert timer.seconds["rotation"] > 0


def test_votes(pair: tuple[Tensor, Tensor]) -> None:
    image0, image1 = pair
    blank = torch.zeros(3, 40, 50)
    batch0 = ImageBatch(images=[image0] * 3, masks=None, lines=None)
    batch1 = ImageBatch(
        images=[image1, blank, turn_image(image1, angle=90)], masks=None, lines=None
    )
    assert vote_turns(batch0, batch1) == [0.0, None, -90.0]
    never = RelativeTurnConfig(min_trust=99.0, min_inliers=10**6)
    assert vote_turns(batch0, batch1, config=never) == [None] * 3


def test_the_matcher_has_its_options(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    image0, image1 = pair
    turned = turn_image(image1, angle=180)
    as_it_is = match(matcher, "none", image0, turned)[1].keypoints
    never = RelativeTurnConfig(min_trust=99.0, min_inliers=10**6)
    monkeypatch.setattr(matcher, "relative_turn", never)
    assert not torch.equal(match(matcher, "auto", image0, turned)[1].keypoints, as_it_is)
    monkeypatch.setattr(matcher, "turn_search", TurnSearchConfig(min_support=0.0))
    assert torch.equal(match(matcher, "auto", image0, turned)[1].keypoints, as_it_is)


def test_errors(matcher: PointLineMatcher, pair: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match="same number of images, found 1 and 2"):
        match(matcher, "auto", pair[0], [pair[1]] * 2)
    with pytest.raises(ValueError, match="masks need one entry per image"):
        match(matcher, "auto", *pair, mask1=[None, None])


def batch_of(image: Tensor) -> ImageBatch:
    return ImageBatch(images=[image])


def test_turns_to_try(
    matcher: PointLineMatcher, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batch_of(pair[0]), batch_of(pair[1])
    options = {"relative_turn": RelativeTurnConfig(), "turn_search": TurnSearchConfig()}

    def turns(vote: float | None, *, every_turn: bool = False) -> list[float]:
        return turns_to_try(
            matcher.extractor, *batches, vote=vote, every_turn=every_turn, **options
        )

    search_finds(monkeypatch, 70.0)
    assert turns(None) == turns(20.0, every_turn=True) == [-70.0]
    assert turns(-70.0) == []
    assert turns(None, every_turn=True) == [90.0, 180.0, -90.0, -70.0]
    search_finds(monkeypatch, 95.0)
    assert turns(None, every_turn=True) == [90.0, 180.0, -90.0]
    search_finds(monkeypatch, None)
    assert turns(None) == []
