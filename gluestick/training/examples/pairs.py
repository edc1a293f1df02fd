"""What is trained on: pairs of images from several sources, mixed."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

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
from gluestick.datasets.posed.posed_images import PosedImages
from gluestick.datasets.posed.training_pairs import PosedPairs, PosedPairsConfig
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig, WorldPair
from gluestick.features.lines.registry import LineDetectorConfig, build_line_detector
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.same_lines import foreground_depth
from gluestick.types import Lines

EXACT_DEPTH_ERROR = 0.05
"""The share of exact depth by which what is hidden is told apart."""

PairKind = Literal["homographies", "worlds", "posed"]
PAIR_KINDS: tuple[PairKind, ...] = get_args(PairKind)

Source = HomographyPairs | PlanarWorlds | PosedPairs


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
        posed: The weight of posed pairs with depth.
        posed_folder: Where these are; see :mod:`gluestick.datasets.posed.posed_scenes`.
        homography: The options of the first kind.
        world: The options of the second.
        posed_pairs: The options of the third.
        augmentation: How light, colour and sharpness change.
        line_detector: What finds lines, "lsd" or "edlines".
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
    posed: float = 0.0
    posed_folder: str = ""
    homography: HomographyPairsConfig = field(default_factory=HomographyPairsConfig)
    world: PlanarWorldsConfig = field(default_factory=PlanarWorldsConfig)
    posed_pairs: PosedPairsConfig = field(default_factory=PosedPairsConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    line_detector: Literal["lsd", "edlines"] = "lsd"
    num_keypoints: tuple[int, ...] = (512, 1024, 1024, 2048)
    num_lines: tuple[int, ...] = (100, 250, 250, 500)
    least_lengths: tuple[float, ...] = (10.0, 15.0, 15.0, 25.0)
    held_out: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.weights()) < 0 or sum(self.weights()) <= 0:
            raise ValueError(
                "homographies, worlds and posed need weights of at least 0, and one of them more, "
                f"found {self.homographies}, {self.worlds} and {self.posed}"
            )
        for name in ("num_keypoints", "num_lines", "least_lengths"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ValueError(f"{name} needs numbers of at least 1, found {getattr(self, name)}")

    def weights(self) -> tuple[float, float, float]:
        """Return the weights of homographies, worlds and posed pairs."""
        return self.homographies, self.worlds, self.posed


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """Two images, their lines, and the geometry between them.

    Attributes:
        images: Two tensors [3, H, W] uint8.
        lines: The lines of both, best first.
        num_keypoints: How many keypoints are used.
        H_0to1: [3, 3] float64 px, or None.
        depth: The poses and the depth, a batch of one, where ``H_0to1`` is None.
        depth_error: What lies behind the depth by more than this share of it is hidden.
        kind: How the pair was made.
    """

    images: tuple[Tensor, Tensor]
    lines: tuple[Lines, Lines]
    num_keypoints: int
    H_0to1: Tensor | None = None
    depth: DepthPair | None = None
    depth_error: float = EXACT_DEPTH_ERROR
    kind: PairKind = "homographies"


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
        self.sources: list[Source | None] = [None, None, None]
        if config.homographies + config.worlds > 0:
            photographs = PhotographPool.in_folder(
                Path(config.photographs), held_out=config.held_out, weights=config.folder_weights
            )
            self.sources[0] = HomographyPairs(photographs, config.homography)
            self.sources[1] = PlanarWorlds(photographs, config.world)
        if config.posed > 0:
            folder = Path(config.posed_folder)
            self.sources[2] = PosedPairs(folder, config.posed_pairs, held_out=config.held_out)
        self.augmentation = Augmentation(config.augmentation)
        detector = replace(lines or LineDetectorConfig(), name=config.line_detector)
        self.line_detector = build_line_detector(detector)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> TrainingPair:
        """Make a pair.

        Raises:
            ValueError: If no photograph, or no posed pair, can be read.
        """
        config = self.config
        rng = np.random.default_rng([config.seed, index])
        shares = np.cumsum(config.weights()) / sum(config.weights())
        source = self.sources[int(np.searchsorted(shares, rng.random(), side="right"))]
        assert source is not None
        pair = source.make(index)
        image0, image1 = (self.augmentation(image, rng) for image in (pair.image0, pair.image1))
        num_lines, least = (
            int(rng.choice(config.num_lines)),
            float(rng.choice(config.least_lengths)),
        )
        made = TrainingPair(
            images=(_to_bytes(image0), _to_bytes(image1)),
            lines=(self._lines(image0, num_lines, least), self._lines(image1, num_lines, least)),
            num_keypoints=int(rng.choice(config.num_keypoints)),
        )
        if isinstance(pair, HomographyPair):
            return replace(made, H_0to1=pair.H_0to1)
        if isinstance(pair, WorldPair):
            return replace(made, depth=_depth_pair(pair, exact=True), kind="worlds")
        return replace(
            made,
            depth=_depth_pair(pair, exact=False),
            depth_error=config.posed_pairs.depth_error,
            kind="posed",
        )

    def _lines(self, image: Tensor, number: int, least_length: float) -> Lines:
        found = self.line_detector.detect(image)
        lengths = (found.lines[:, 1] - found.lines[:, 0]).norm(dim=1)
        kept = (lengths >= least_length).nonzero()[:number, 0]
        return Lines(lines=found.lines[kept], scores=found.scores[kept])


def _to_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().byte()


def _depth_pair(pair: PosedImages, *, exact: bool) -> DepthPair:
    """Return the geometry; where depth is exact, lines at edges belong to what is in front."""
    depth0, depth1 = (
        foreground_depth(depth[None]) if exact else depth[None]
        for depth in (pair.depth0, pair.depth1)
    )
    size0, size1 = (torch.tensor([depth.shape[:0:-1]]) for depth in (depth0, depth1))
    return DepthPair(
        depth0=depth0,
        depth1=depth1,
        image_size0=size0,
        image_size1=size1,
        K0=pair.K0[None],
        K1=pair.K1[None],
        R_0to1=pair.R_0to1[None],
        t_0to1=pair.t_0to1[None],
    )
