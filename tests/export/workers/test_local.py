import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from accelerators import Accelerator
from PIL import Image
from torch import Tensor

from gluestick.export.workers.local import LocalWorkers
from gluestick.export.workers.steps import Failure, FolderSteps
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.lsd import LSD
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.points.xfeat import XFeat
from gluestick.peers.nearest_neighbours import NearestNeighbours, NearestNeighboursConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Lines, Points
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
