import threading
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.tiles import TileConfig
from gluestick.images import ResizeConfig, resize_image
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer
from gluestick.types import Points, Wireframe


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images(leuven: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Two images that differ in size."""
    return [
        resize_image(image, config=ResizeConfig(size=size))[0]
        for image, size in zip(leuven, (320, 256), strict=True)
    ]


def assert_equal(found: Wireframe, expected: Wireframe) -> None:
    for field in fields(Wireframe):
        ours, theirs = (getattr(wireframe, field.name) for wireframe in (found, expected))
        same = torch.equal(ours, theirs) if isinstance(ours, Tensor) else ours == theirs
        assert same, field.name


def test_two_threads_give_what_one_gives_to_the_bit(
    threads: None, small_matcher: PointLineMatcher, images: list[Tensor]
) -> None:
    timer = StageTimer()
    wireframe0, wireframe1, _ = small_matcher(*images, timer=timer)
    assert timer.seconds.keys() == {"rotation", "keypoints", "lines", "wireframe", "matching"}
    both = small_matcher.extract([*images, images[0]])
    torch.set_num_threads(1)
    assert_equal(wireframe0, small_matcher.extract(images[0]))
    assert_equal(wireframe1, small_matcher.extract(images[1]))
    assert_equal(both, small_matcher.extract([*images, images[0]]))


def test_what_fails_in_a_thread_is_raised(
    threads: None, small_matcher: PointLineMatcher, images: list[Tensor]
) -> None:
    with pytest.raises(ValueError, match="mask"):
        small_matcher.extract(images, masks=[None, torch.ones(3, 3)])
    assert torch.get_num_threads() == 2


class Observed:
    """Finds no keypoints and remembers in which threads it was asked."""

    descriptor_dim = 8

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        self.threads.add(threading.get_ident())
        none = torch.zeros(0, 2)
        return Points(
            keypoints=none,
            scores=torch.zeros(0),
            descriptors=torch.zeros(0, self.descriptor_dim),
            describe=lambda positions: torch.ones(len(positions), self.descriptor_dim),
        )


def test_detectors_of_ones_own_are_asked_one_image_after_the_other(
    threads: None, small_matcher: PointLineMatcher, images: list[Tensor]
) -> None:
    detector = Observed()
    extractor = FeatureExtractor(point_detector=detector)
    PointLineMatcher(
        extractor=extractor, wireframe=small_matcher.wireframe, network=small_matcher.network
    ).extract(images)
    assert detector.threads == {threading.get_ident()}


def test_two_threads_need_memory_for_two_images(images: list[Tensor]) -> None:
    extractor = FeatureExtractor()
    assert extractor.serves_threads(images)
    for memory, enough in ((1e6, False), (1e10, True)):
        extractor.config = replace(extractor.config, tiles=TileConfig(memory=memory))
        assert extractor.serves_threads(images) == enough
    extractor.point_detector.train()
    assert not extractor.serves_threads(images)
