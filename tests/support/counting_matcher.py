"""A quick matcher for tests of benchmarks."""

import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.peers.nearest_neighbours import NearestNeighbours, NearestNeighboursConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe
from gluestick.wireframe.build import WireframeConfig


class CountingMatcher:
    """Matches by SIFT and nearest neighbours, counts its calls and may stop at one of them."""

    config = "sift"
    device = torch.device("cpu")

    def __init__(self) -> None:
        points = PointDetectorConfig(name="sift", max_num_keypoints=100)
        self.matcher = PointLineMatcher(
            extractor=FeatureExtractor(FeatureExtractorConfig(points=points)),
            wireframe=WireframeConfig(),
            network=NearestNeighbours(NearestNeighboursConfig(match_lines=True)),
            rotation="none",
        )
        self.num_calls = 0
        self.stop_at: int | None = None
        self.error: type[BaseException] = KeyboardInterrupt

    def __call__(
        self, image0: Tensor, image1: Tensor, *, timer: StageTimer
    ) -> tuple[Wireframe, Wireframe, Matches]:
        self.num_calls += 1
        if self.num_calls == self.stop_at:
            raise self.error("stopped")
        return self.matcher(image0, image1, timer=timer)
