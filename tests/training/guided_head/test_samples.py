from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matching.wireframes import matching_pair, randomize
from PIL import Image

from gluestick.datasets.synthetic_pairs import (
    SyntheticPair,
    SyntheticPairsConfig,
    draw_synthetic_pairs,
)
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.training.guided_head.samples import (
    choose_pairs,
    collect_samples,
    load_point_matchers,
    match_points,
)


@pytest.fixture(scope="module")
def matchers() -> list[PointLineMatcher]:
    return load_point_matchers([64, 96])


def make_folder(root: Path, counts: dict[str, int], *, held_out: str = "") -> Path:
    for folder, number in counts.items():
        (root / folder).mkdir()
        for index in range(number):
            (root / folder / f"{index}.jpg").touch()
        if held_out:
            (root / folder / held_out).touch()
    return root


def folders(pairs: list[SyntheticPair]) -> list[str]:
    return [pair.path.parent.name for pair in pairs]


def test_folders_take_turns_as_far_as_they_go(tmp_path: Path) -> None:
    root = make_folder(tmp_path, {"few": 2, "many": 9}, held_out="0016.jpg")
    pairs = draw_synthetic_pairs(root, SyntheticPairsConfig(pairs_per_photograph=1))
    chosen = choose_pairs(pairs, num_pairs=7)
    assert folders(chosen) == ["few", "many", "few", "many", "many", "many", "many"]
    assert len({pair.path for pair in chosen}) == 7
    everything = choose_pairs(pairs, num_pairs=100)
    assert Counter(folders(everything)) == {"few": 2, "many": 9}
    assert "0016.jpg" not in {pair.path.name for pair in everything}
    names = [pair.name for pair in chosen]
    assert [pair.name for pair in choose_pairs(pairs, num_pairs=7)] == names
    assert [pair.name for pair in choose_pairs(pairs, num_pairs=7, seed=1)] != names
    assert choose_pairs([], num_pairs=7) == []


def test_samples_hold_what_the_line_head_sees(
    assets: Path, matchers: list[PointLineMatcher]
) -> None:
    config = SyntheticPairsConfig(
        width=240, height=180, difficulty=0.3, photometric_probability=0, pairs_per_photograph=1
    )
    pairs = draw_synthetic_pairs(assets, config)[:3]
    samples = collect_samples(iter(pairs), matchers)
    assert len(samples) == 3
    for sample, pair, matcher in zip(
        samples, pairs, (matchers[0], matchers[1], matchers[0]), strict=True
    ):
        found0, found1, _ = matcher(*pair.load())
        for own, found in ((sample.wireframe0, found0), (sample.wireframe1, found1)):
            torch.testing.assert_close(own.detected_lines, found.detected_lines)
            assert own.descriptors.shape == (*found.descriptors.shape[:2], 0)
        num_lines0, num_lines1 = (found.lines.shape[1] for found in (found0, found1))
        assert sample.truth.matches0.shape == (1, num_lines0)
        assert sample.truth.matches1.shape == (1, num_lines1)
        assert (sample.truth.matches0 > -1).sum() >= 2
        num_junctions = [int(found.num_junctions[0]) for found in (found0, found1)]
        assert sample.endpoint_similarity.shape == (1, *num_junctions)
        assert sample.matches.positions0.shape == (1, found0.keypoints.shape[1], 2)
        assert (sample.matches.weights > 0).sum() > 10
    budgets = [sample.wireframe0.keypoints.shape[1] for sample in samples]
    assert budgets[0] != budgets[1]


def test_blank_photographs_have_samples_without_lines(
    tmp_path: Path, matchers: list[PointLineMatcher]
) -> None:
    Image.fromarray(np.full((90, 120, 3), 90, np.uint8)).save(tmp_path / "blank.png")
    config = SyntheticPairsConfig(
        width=120, height=90, photometric_probability=0, pairs_per_photograph=1
    )
    (sample,) = collect_samples(draw_synthetic_pairs(tmp_path, config), matchers)
    assert sample.truth.matches0.shape == (1, 0)
    assert sample.endpoint_similarity.shape == (1, 0, 0)


def test_of_several_views_the_kept_one_is_returned() -> None:
    network = randomize(LightGlueStick(LightGlueStickConfig(input_dim=32, num_layers=1)))
    tried = [matching_pair(20, 8, 4, seed=seed) for seed in range(3)]

    class Matcher(SimpleNamespace):
        def __call__(self, image0: torch.Tensor, image1: torch.Tensor) -> tuple:
            results = [self.network(*pair) for pair in tried]
            return *tried[1], results[1]

    blank = torch.zeros(3, 8, 8)
    found0, found1, given = match_points(Matcher(network=network), blank, blank)
    assert (found0, found1) == tried[1]
    assert given.wireframe0 is tried[1][0]
    assert given.wireframe1 is tried[1][1]


def test_hooks_are_removed_after_an_error(matchers: list[PointLineMatcher]) -> None:
    with pytest.raises(ValueError, match="needs the shape"):
        match_points(matchers[0], torch.zeros(5), torch.zeros(5))
    assert not matchers[0].network._forward_hooks
    assert not matchers[0].network.line_head._forward_pre_hooks


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one matcher"):
        collect_samples([], [])
    network = GlueStick(GlueStickConfig())
    blank = torch.zeros(3, 8, 8)
    with pytest.raises(ValueError, match="found GlueStick"):
        match_points(SimpleNamespace(network=network), blank, blank)
