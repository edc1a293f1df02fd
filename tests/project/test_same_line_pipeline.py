"""The models that match lines by what they are, from images to matches and files."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import gluestick
from gluestick.export import (
    FeaturesReader,
    FeaturesWriter,
    read_matches_h5,
    read_matches_npz,
    write_matches_h5,
    write_matches_npz,
)
from gluestick.export.arrays import wireframe_from_arrays
from gluestick.pipeline import PointLineMatcher

MODELS = ("aliked-lsd", "aliked-lsd-wireframe")


@pytest.fixture(scope="module", params=MODELS)
def matcher(request: pytest.FixtureRequest) -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(request.param, max_num_keypoints=256, max_num_lines=60)


@pytest.fixture(scope="module")
def halves(leuven: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return leuven[0][:, ::2, ::2], leuven[1][:, ::2, ::2]


def test_points_do_not_depend_on_the_line_head(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    guided = PointLineMatcher.from_pretrained(
        "aliked-lsd-guided", max_num_keypoints=256, max_num_lines=60
    )
    _, _, expected = guided(*halves)
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
    lines = matcher.extract(halves[0]).detected_lines[0]
    thrice = lines.repeat(3, 1, 1)
    wireframe0, _, matches = matcher(halves[0], halves[0], lines0=thrice, lines1=thrice)
    # None is merged, dropped or moved.
    assert torch.equal(wireframe0.detected_lines[0], thrice)
    own = torch.arange(len(thrice)) % len(lines)
    assert torch.equal(matches.line_matches0[0] % len(lines), own)
    assert matches.line_matches0[0].unique().numel() == len(thrice)
    pairs, _ = matches.line_pairs()
    same = pairs[:, 0] % len(lines) == pairs[:, 1] % len(lines)
    assert same.sum() == 9 * len(lines)


def test_both_halves_of_a_line_are_parts_of_it(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    lines = matcher.extract(halves[0]).detected_lines[0]
    middles = lines.mean(1, keepdim=True)
    parts = [torch.cat(ends, dim=1) for ends in ((lines[:, :1], middles), (middles, lines[:, 1:]))]
    _, _, matches = matcher(halves[0], halves[0], lines0=lines, lines1=torch.cat(parts))
    assert (matches.line_matches0[0] % len(lines) == torch.arange(len(lines))).all()
    pairs, probabilities = matches.line_pairs()
    right = pairs[:, 1] % len(lines) == pairs[:, 0]
    assert right.sum() == 2 * len(lines)
    assert right.float().mean() > 0.85
    assert probabilities.min() >= 0.5
    one_each, _ = matches.line_pairs(max_per_line=1)
    assert len(one_each) <= len(lines)


def test_no_line_matches_its_mirror_image(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    allowed = 1 if matcher.network.config.line_layers else 0  # see the model cards
    image, mirror = halves[0], halves[0].flip(2)
    lines = matcher.extract(image).detected_lines[0]
    flipped = torch.stack([image.shape[2] - 1 - lines[..., 0], lines[..., 1]], dim=-1)
    _, _, itself = matcher(image, image, lines0=lines, lines1=lines)
    _, _, matches = matcher(image, mirror, lines0=lines, lines1=flipped)
    own = torch.arange(len(lines))
    assert (itself.line_matches0[0] == own).all()
    assert (matches.line_matches0[0] == own).sum() <= allowed
    pairs, _ = matches.line_pairs()
    assert (pairs[:, 0] == pairs[:, 1]).sum() <= allowed


def test_line_pairs_of_a_batch_are_those_of_its_pairs(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]
) -> None:
    first, second = halves
    sides = [first, second], [second, first[:, :, :400]]
    _, _, batch = matcher(*sides)
    with pytest.raises(ValueError, match="2 pairs"):
        batch.line_pairs()
    for index, pair in enumerate(zip(*sides, strict=True)):
        _, _, alone = matcher(*pair)
        pairs, probabilities = alone.line_pairs()
        found, values = batch.line_pairs(index=index)
        assert len(pairs) > 10
        assert torch.equal(found, pairs)
        torch.testing.assert_close(values, probabilities, atol=1e-3, rtol=0)


@pytest.mark.parametrize("number", [0, 1])
def test_few_lines(matcher: PointLineMatcher, halves: tuple[Tensor, Tensor], number: int) -> None:
    lines = matcher.extract(halves[0]).detected_lines[0, :number]
    _, _, matches = matcher(halves[0], halves[0], lines0=lines, lines1=lines)
    pairs, probabilities = matches.line_pairs()
    assert pairs.tolist() == [[0, 0]] * number
    assert matches.line_matches0[0].tolist() == [0] * number
    assert probabilities.shape == (number,)


def test_a_thousand_segments(matcher: PointLineMatcher, halves: tuple[Tensor, Tensor]) -> None:
    height, width = halves[0].shape[1:]
    torch.manual_seed(0)
    starts = torch.rand(1000, 2) * torch.tensor([width - 40.0, height - 40.0]) + 20
    lines = torch.stack([starts, starts + torch.randn(1000, 2).clamp(-2, 2) * 8], dim=1)
    _, _, matches = matcher(halves[0], halves[0], lines0=lines, lines1=lines)
    own = torch.arange(1000)
    assert (matches.line_matches0[0] == own).float().mean() > 0.9
    pairs, _ = matches.line_pairs()
    assert (pairs[:, 0] == pairs[:, 1]).sum() > 900


def test_line_pairs_are_in_files(
    matcher: PointLineMatcher, halves: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    result = gluestick.match(*halves, model=matcher)
    sides = result.wireframe0, result.wireframe1
    pairs, probabilities = result.matches.line_pairs()
    assert result.line_pairs.tolist() == pairs.tolist()
    assert result.line_pair_probabilities.tolist() == probabilities.tolist()
    write_matches_npz(tmp_path / "matches.npz", *sides, result.matches)
    write_matches_h5(tmp_path / "matches.h5", "a", "b", *sides, result.matches)
    arrays = read_matches_npz(tmp_path / "matches.npz")
    likely = arrays["line_pair_probabilities"] >= 0.5
    assert 10 < likely.sum() < len(likely)
    assert arrays["line_pairs"][likely].tolist() == pairs.tolist()
    assert arrays["line_pair_overlaps"].min() > 0
    forth = read_matches_h5(tmp_path / "matches.h5", "a", "b")
    back = read_matches_h5(tmp_path / "matches.h5", "b", "a")
    assert forth["line_pairs"].tolist() == arrays["line_pairs"].tolist()
    assert back["line_pairs"].tolist() == arrays["line_pairs"][:, ::-1].tolist()
    assert back["line_pair_probabilities"].tolist() == arrays["line_pair_probabilities"].tolist()
