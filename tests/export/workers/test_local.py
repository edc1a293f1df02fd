import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerators import Accelerator
from matching.wireframes import make_wireframe
from PIL import Image
from torch import Tensor

from gluestick.export.workers import local as local_module
from gluestick.export.workers import steps as steps_module
from gluestick.export.workers.local import LocalWorkers
from gluestick.export.workers.steps import Failure, FolderSteps, pairs_that_fit
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.lsd import LSD
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.points.xfeat import XFeat
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.memory import PairCounts, matching_bytes
from gluestick.peers.nearest_neighbours import NearestNeighbours, NearestNeighboursConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Lines, Matches, Points, Wireframe
from gluestick.wireframe.build import WireframeConfig

NAMES = ["a.png", "bad.png", "b.png", "c.png", "d.png"]
IMAGES = [(name, 90.0 if name == "b.png" else 0.0) for name in NAMES]


@pytest.fixture
def steps(tmp_path: Path, assets: Path) -> FolderSteps:
    with Image.open(assets / "leuven_a.jpg") as image:
        for index, name in enumerate(NAMES):
            image.resize((160 - 8 * index, 120)).save(tmp_path / name)
    (tmp_path / "bad.png").write_text("not an image")
    points = PointDetectorConfig(name="xfeat", max_num_keypoints=60)
    matcher = PointLineMatcher(
        extractor=FeatureExtractor(FeatureExtractorConfig(points=points, side_colors=True)),
        wireframe=WireframeConfig(),
        network=NearestNeighbours(NearestNeighboursConfig()),
    )
    return FolderSteps(matcher, tmp_path)


def test_lines_of_the_next_images_are_found_ahead(
    steps: FolderSteps, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(LocalWorkers().extract(steps, IMAGES))
    steps.matcher.to(accelerator.device)
    begun, main, threads, seen = [], threading.get_ident(), set(), []
    begin, detect, find = FolderSteps.begin, XFeat.detect, LSD.detect_gray

    def watched_begin(steps: FolderSteps, *rest) -> object:
        begun.append(len(seen))
        return begin(steps, *rest)

    def watched_detect(detector: XFeat, image: Tensor, **options) -> Points:
        seen.append(len(begun))
        return detect(detector, image, **options)

    def watched_find(detector: LSD, gray: np.ndarray, **options) -> Lines:
        threads.add(threading.get_ident())
        return find(detector, gray, **options)

    monkeypatch.setattr(FolderSteps, "begin", watched_begin)
    monkeypatch.setattr(XFeat, "detect", watched_detect)
    monkeypatch.setattr(LSD, "detect_gray", watched_find)
    monkeypatch.setattr("gluestick.side_by_side._MOST_AHEAD", 1)
    found = list(LocalWorkers().extract(steps, IMAGES))
    assert main not in threads
    assert len(threads) == 1
    assert seen == [1, 3, 4, 4]  # one is begun ahead; what cannot be read is one of them
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, Failure):
            assert one == other
            continue
        assert isinstance(one, dict)
        if accelerator.fake is not None:
            np.testing.assert_equal(one, other)


def test_an_error_in_a_thread_is_that_of_the_image(
    steps: FolderSteps, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(detector: LSD, gray: np.ndarray, **_) -> Lines:
        if gray.shape[1] == 136:  # c.png
            raise ValueError("no lines of c.png")
        return nothing

    nothing = LSD().detect_gray(np.zeros((9, 9), np.uint8))
    monkeypatch.setattr(LSD, "detect_gray", fail)
    steps.matcher.to(accelerator.device)
    before = threading.active_count()
    results: Iterator = LocalWorkers().extract(steps, IMAGES)
    assert [isinstance(next(results), Failure) for _ in range(3)] == [False, True, False]
    with pytest.raises(ValueError, match=r"no lines of c\.png"):
        next(results)
    assert threading.active_count() == before


def pairs_of_size(number: int, num_keypoints: int) -> list[tuple[Wireframe, Wireframe]]:
    wireframe = make_wireframe(num_keypoints, 40, 20)
    return [(wireframe, wireframe)] * number


class OnGPU:
    """A matcher that says where it is."""

    device = torch.device("cuda")
    network = LightGlueStick(LightGlueStickConfig(input_dim=32, num_layers=1, line_layers=()))


def test_a_batch_takes_no_more_than_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    free = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[-1], 80e9))

    def number(free_bytes: float, pairs: list[tuple[Wireframe, Wireframe]]) -> int:
        free.append(free_bytes)
        return pairs_that_fit(pairs, OnGPU())

    pairs = pairs_of_size(20, 1000)
    assert number(70e9, pairs) == 16
    assert number(70e9, pairs[:3]) == 3
    assert number(1e6, pairs) == 1
    taken = [
        matching_bytes(
            PairCounts.of(*pairs[0]), network=OnGPU.network.config, pairs=count, padded=True
        )
        for count in (5, 6)
    ]
    assert number(2 * taken[0], pairs) == 5
    assert number(2 * taken[1] - 1, pairs) == 5
    assert number(2 * taken[1], pairs) == 6
    larger = pairs_of_size(1, 4000)
    assert number(2 * taken[1], pairs[:4] + larger + pairs) == 4
    assert number(2 * taken[1], larger + pairs) == 1


def test_pairs_are_matched_in_batches_that_fit(
    steps: FolderSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = {name: steps.read(name) for name in ("a.png", "b.png", "c.png", "d.png")}
    features = {name: steps.extract(image, 0.0) for name, image in read.items()}
    names = [("a.png", "b.png"), ("a.png", "c.png"), ("a.png", "d.png"), ("b.png", "c.png")]
    sizes = []
    match = PointLineMatcher.match

    def watched(matcher: PointLineMatcher, first: Wireframe, *rest, **options) -> Matches:
        sizes.append(first.batch_size)
        return match(matcher, first, *rest, **options)

    monkeypatch.setattr(PointLineMatcher, "match", watched)
    monkeypatch.setattr(steps_module, "usual_pairs_at_once", lambda device: 16)
    monkeypatch.setattr(local_module, "usual_pairs_at_once", lambda device: 16)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1e6, 80e9))
    expected = list(LocalWorkers().match(steps, names, features.__getitem__))
    assert sizes == [1, 1, 1, 1]
    found = list(LocalWorkers(pairs_at_once=3).match(steps, names, features.__getitem__))
    assert sizes[4:] == [3, 1]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one["matches0"], other["matches0"])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (80e9, 80e9))
    list(LocalWorkers().match(steps, names, features.__getitem__))
    assert sizes[6:] == [4]
