"""The stages of a pair, each by itself."""

from typing import cast

import pytest
import torch
from conftest import NUM_KEYPOINTS, NUM_LINES, Wireframes
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gluestick.estimation import estimate_homography
from gluestick.features.lines.registry import LineDetectorConfig, build_line_detector
from gluestick.features.points.registry import PointDetectorConfig, build_point_detector
from gluestick.matching.assignment import mutual_matches
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches
from gluestick.wireframe.build import build_wireframe

Images = tuple[Tensor, Tensor]


@pytest.mark.parametrize("name", ["aliked", "xfeat", "sift"])
@torch.no_grad()
def test_keypoints(benchmark: BenchmarkFixture, images: Images, name: str) -> None:
    detector = build_point_detector(PointDetectorConfig(name=name, max_num_keypoints=NUM_KEYPOINTS))
    assert len(benchmark(detector.detect, images[0]).keypoints) > 0


@pytest.mark.parametrize("name", ["lsd", "edlines"])
def test_lines(benchmark: BenchmarkFixture, images: Images, name: str) -> None:
    detector = build_line_detector(LineDetectorConfig(name=name, max_num_lines=NUM_LINES))
    assert len(benchmark(detector.detect, images[0]).lines) > 0


@torch.no_grad()
def test_wireframe(benchmark: BenchmarkFixture, matcher: PointLineMatcher, images: Images) -> None:
    assert matcher.extractor is not None
    features = matcher.extractor([images[0]])
    assert benchmark(build_wireframe, features, matcher.wireframe).num_junctions > 0


@torch.no_grad()
def test_nodes(
    benchmark: BenchmarkFixture, matcher: PointLineMatcher, wireframes: Wireframes
) -> None:
    network = cast(LightGlueStick, matcher.network)
    nodes = benchmark(network.assign_nodes, *wireframes)
    assert nodes.log_assignment.isfinite().any()


@torch.no_grad()
def test_line_head(
    benchmark: BenchmarkFixture, matcher: PointLineMatcher, wireframes: Wireframes
) -> None:
    network = cast(LightGlueStick, matcher.network)
    nodes = network.assign_nodes(*wireframes)
    mutual = mutual_matches(nodes.log_assignment, threshold=0.0)
    lines = benchmark(network.line_head, *wireframes, nodes, mutual)
    assert lines.log_assignment.shape[1] > 1


def test_homography(benchmark: BenchmarkFixture, wireframes: Wireframes, matches: Matches) -> None:
    points = matches.matched_keypoints(*wireframes)
    lines0, lines1 = matches.matched_lines(*wireframes)
    assert benchmark(estimate_homography, *points, lines0=lines0, lines1=lines1) is not None
