"""Whole pairs by models of this package, and by networks of kornia on the same keypoints."""

from collections.abc import Callable

import pytest
import torch
from conftest import NUM_KEYPOINTS, NUM_LINES, Wireframes
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gluestick.config import load_match_config
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.pipeline import PointLineMatcher

ROUNDS = 3
Images = tuple[Tensor, Tensor]


def time_rounds(benchmark: BenchmarkFixture, run: Callable[..., object], *given: object) -> object:
    """Time some rounds after one that is not counted."""
    return benchmark.pedantic(run, args=given, rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("model", ["aliked-lsd", "xfeat-lsd"])
def test_model(benchmark: BenchmarkFixture, images: Images, model: str) -> None:
    matcher = PointLineMatcher.from_pretrained(
        model, max_num_keypoints=NUM_KEYPOINTS, max_num_lines=NUM_LINES
    )
    assert time_rounds(benchmark, matcher, *images)


@pytest.mark.parametrize("preset", ["fast", "quick", "video"])
def test_preset(benchmark: BenchmarkFixture, images: Images, preset: str) -> None:
    settings = load_match_config(preset)
    matcher = PointLineMatcher.from_pretrained(settings.model, config=settings.pipeline)
    assert time_rounds(benchmark, matcher, *images)


@torch.no_grad()
def test_lightglue_of_kornia(benchmark: BenchmarkFixture, wireframes: Wireframes) -> None:
    peer = KorniaLightGlue(KorniaLightGlueConfig(input_dim=wireframes[0].descriptors.shape[2]))
    assert time_rounds(benchmark, peer, *wireframes)
