"""The models that match lines by what they are, from images to matches and files."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gluestick.export import FeaturesReader, FeaturesWriter
from gluestick.export.arrays import wireframe_from_arrays
from gluestick.pipeline import PointLineMatcher

MODELS = ("aliked-lsd-same-line", "aliked-lsd-wireframe")


@pytest.fixture(scope="module", params=MODELS)
def matcher(request: pytest.FixtureRequest) -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(request.param, max_num_keypoints=256, max_num_lines=60)


@pytest.fixture(scope="module")
def halves(leuven: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return leuven[0][:, ::2, ::2], leuven[1][:, ::2, ::2]


def test_points_are_those_of_the_default(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    default = PointLineMatcher.from_pretrained(max_num_keypoints=256, max_num_lines=60)
    _, _, expected = default(*halves)
    _, _, found = matcher(*halves)
    assert torch.equal(found.matches0, expected.matches0)
    assert torch.equal(found.matching_scores0, expected.matching_scores0)
    assert (found.line_matches0 > -1).sum() >= (expected.line_matches0 > -1).sum() > 10


def test_stored_features_match_as_fresh_ones_do(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    fresh = [matcher.extract(image) for image in halves]
    path = tmp_path / "features.h5"
    with FeaturesWriter(path) as writer:
        for name, wireframe in zip("ab", fresh, strict=True):
            writer.add(name, wireframe)
    with FeaturesReader(path) as reader:
        stored = [wireframe_from_arrays(reader.read(name)) for name in "ab"]
    expected, found = matcher.match(*fresh), matcher.match(*stored)
    assert torch.equal(found.line_matches0, expected.line_matches0)
    assert torch.equal(found.line_matching_scores0, expected.line_matching_scores0)


def test_features_of_the_default_are_refused(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    bare = [replace(matcher.extract(image), side_colors=None) for image in halves]
    with pytest.raises(ValueError, match=r"features\.side_colors=true"):
        matcher.match(*bare)


def test_lines_given_three_times_are_all_matched(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    lines = [matcher.extract(image).detected_lines[0] for image in halves]
    _, _, once = matcher(*halves, lines0=lines[0], lines1=lines[1])
    _, _, thrice = matcher(
        *halves, lines0=lines[0].repeat(3, 1, 1), lines1=lines[1].repeat(3, 1, 1)
    )
    number = (once.line_matches0 > -1).sum()
    assert number > 10
    assert (thrice.line_matches0 > -1).sum() >= 2.9 * number


def test_no_line_matches_its_mirror_image(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    image, mirror = halves[0], halves[0].flip(2)
    wireframe0 = matcher.extract(image)
    lines = wireframe0.detected_lines[0]
    flipped = torch.stack([image.shape[2] - 1 - lines[..., 0], lines[..., 1]], dim=-1)
    _, _, itself = matcher(image, image, lines0=lines, lines1=lines)
    _, _, matches = matcher(image, mirror, lines0=lines, lines1=flipped)
    own = torch.arange(len(lines))
    assert (itself.line_matches0[0] == own).float().mean() > 0.95
    assert (matches.line_matches0[0] == own).float().mean() < 0.3
