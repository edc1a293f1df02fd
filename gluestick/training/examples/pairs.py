"""What is trained on: pairs of images from several sources, mixed."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gluestick.datasets.augmentation import Augmentation, AugmentationConfig
from gluestick.datasets.homography_pairs import (
    HomographyPair,
    HomographyPairs,
    HomographyPairsConfig,
)
from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig, WorldPair
from gluestick.features.lines.registry import LineDetectorConfig, build_line_detector
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.same_lines import foreground_depth
from gluestick.types import Lines


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which pairs are made, and how often each kind.

    Attributes:
        photographs: A folder tree of photographs. Those that are held out (see
            :func:`gluestick.datasets.holdout.is_held_out`) are never trained on.
        folder_weights: How often a photograph is drawn, by the folders below that one; 1 for
            those that are not named.
        homographies: The weight of pairs of views of one photograph.
        worlds: The weight of pairs of pictures of rooms made of photographs.
        homography: The options of the former.
        world: The options of the latter.
        augmentation: How light, colour and sharpness change.
        num_keypoints: The numbers of keypoints of which each pair gets one.
        num_lines: The numbers of lines of which each pair gets one.
        least_lengths: px, the lengths below which lines are left out, of which each pair gets one.
        held_out: Take the photographs that are held out instead, to validate.
        seed: Decides all pairs, with their indices.
    """

    photographs: str = ""
    folder_weights: dict[str, float] = field(default_factory=dict)
    homographies: float = 1.0
    worlds: float = 1.0
    homography: HomographyPairsConfig = field(default_factory=HomographyPairsConfig)
    world: PlanarWorldsConfig = field(default_factory=PlanarWorldsConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    num_keypoints: tuple[int, ...] = (512, 1024, 1024, 2048)
    num_lines: tuple[int, ...] = (100, 250, 250, 500)
    least_lengths: tuple[float, ...] = (10.0, 15.0, 15.0, 25.0)
    held_out: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.homographies, self.worlds) < 0 or self.homographies + self.worlds <= 0:
            raise ValueError(
                "homographies and worlds need weights of at least 0, and one of them more, found "
                f"{self.homographies} and {self.worlds}"
            )
        for name in ("num_keypoints", "num_lines", "least_lengths"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ValueError(f"{name} needs numbers of at least 1, found {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """Two images, their lines, and the geometry between them.

    Attributes:
        images: Two tensors [3, H, W] uint8.
        lines: The lines of both, best first.
        num_keypoints: How many keypoints are used.
        H_0to1: [3, 3] float64 px, or None.
        depth: The poses and the depth, a batch of one, where ``H_0to1`` is None.
    """

    images: tuple[Tensor, Tensor]
    lines: tuple[Lines, Lines]
    num_keypoints: int
    H_0to1: Tensor | None = None
    depth: DepthPair | None = None


class TrainingPairs(Dataset):
    """Pairs by their indices, without end.

    A pair depends on the options and its index alone, so that any number of workers makes the
    same pairs.

    Args:
        config: The options.
        size: How many pairs there are.
        lines: The line detector; how many lines are kept is up to ``config``.

    Raises:
        ValueError: If there are no photographs.
    """

    def __init__(
        self, config: DataConfig, *, size: int, lines: LineDetectorConfig | None = None
    ) -> None:
        self.config, self.size = config, size
        photographs = PhotographPool.in_folder(
            Path(config.photographs), held_out=config.held_out, weights=config.folder_weights
        )
        self.homographies = HomographyPairs(photographs, config.homography)
        self.worlds = PlanarWorlds(photographs, config.world)
        self.augmentation = Augmentation(config.augmentation)
        self.line_detector = build_line_detector(lines or LineDetectorConfig())

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> TrainingPair:
        """Make a pair.

        Raises:
            ValueError: If no photograph can be read.
        """
        config = self.config
        rng = np.random.default_rng([config.seed, index])
        share = config.homographies / (config.homographies + config.worlds)
        made = self.homographies if rng.random() < share else self.worlds
        pair: HomographyPair | WorldPair = made.make(index)
        image0, image1 = (self.augmentation(image, rng) for image in (pair.image0, pair.image1))
        num_lines, least = (
            int(rng.choice(config.num_lines)),
            float(rng.choice(config.least_lengths)),
        )
        return TrainingPair(
            images=(_to_bytes(image0), _to_bytes(image1)),
            lines=(self._lines(image0, num_lines, least), self._lines(image1, num_lines, least)),
            num_keypoints=int(rng.choice(config.num_keypoints)),
            H_0to1=pair.H_0to1 if isinstance(pair, HomographyPair) else None,
            depth=None if isinstance(pair, HomographyPair) else _depth_pair(pair),
        )

    def _lines(self, image: Tensor, number: int, least_length: float) -> Lines:
        found = self.line_detector.detect(image)
        lengths = (found.lines[:, 1] - found.lines[:, 0]).norm(dim=1)
        kept = (lengths >= least_length).nonzero()[:number, 0]
        return Lines(lines=found.lines[kept], scores=found.scores[kept])


def _to_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().byte()


def _depth_pair(world: WorldPair) -> DepthPair:
    height, width = world.depth0.shape
    size = torch.tensor([[width, height]])
    return DepthPair(
        depth0=foreground_depth(world.depth0[None]),
        depth1=foreground_depth(world.depth1[None]),
        image_size0=size,
        image_size1=size,
        K0=world.K0[None],
        K1=world.K1[None],
        R_0to1=world.R_0to1[None],
        t_0to1=world.t_0to1[None],
    )
