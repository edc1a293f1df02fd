"""Pairs of posed images with depth, made for training."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.posed.depth_views import DepthView, DepthViewPair
from gluestick.datasets.posed.posed_images import PosedImages
from gluestick.datasets.posed.posed_scenes import PosedScene, list_posed_scenes
from gluestick.datasets.posed.stored_images import load_stored_image
from gluestick.geometry.pixels import to_resized

_logger = logging.getLogger(__name__)

_NUM_TRIES = 20
_ALL_KNOWN = 0.999
_EDGE = 0.03
"""By which share neighbouring depths differ at the edge of a thing."""


@dataclass(frozen=True, kw_only=True)
class PosedPairsConfig:
    """Which pairs are taken.

    Attributes:
        min_overlap: The share of one image that the other sees at the least, where it is known.
        max_overlap: At the most.
        long_side: px, to which larger images are reduced.
        depth_error: What lies behind the other image's depth by more than this share of it is
            hidden; depth is measured, and not exact.
        seed: Decides all pairs, with their indices.
    """

    min_overlap: float = 0.1
    max_overlap: float = 0.7
    long_side: int = 640
    depth_error: float = 0.08
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_overlap <= self.max_overlap <= 1:
            raise ValueError(
                "min_overlap needs to be at least 0 and at most max_overlap, which is at most 1, "
                f"found {self.min_overlap} and {self.max_overlap}"
            )
        if self.long_side < 1:
            raise ValueError(f"long_side needs to be at least 1, found {self.long_side}")
        if self.depth_error <= 0:
            raise ValueError(f"depth_error needs to be positive, found {self.depth_error}")


class PosedPairs:
    """Makes pairs, each from its index alone: of a random scene a random pair.

    Args:
        folder: The scenes; see :mod:`gluestick.datasets.posed.posed_scenes`.
        config: The options.
        held_out: Whether pairs with an image that is held out are taken (see
            :func:`gluestick.datasets.holdout.is_held_out`), or all others.

    Raises:
        ValueError: If there is no such pair, or something is missing or damaged.
    """

    def __init__(
        self, folder: Path, config: PosedPairsConfig | None = None, *, held_out: bool = False
    ) -> None:
        self.config = config or PosedPairsConfig()
        overlap = self.config.min_overlap, self.config.max_overlap
        every = list_posed_scenes(folder, overlap=overlap)
        chosen = [(scene, _of_holdout(scene, held_out)) for scene in every]
        self.scenes = [(scene, own) for scene, own in chosen if len(own)]
        if not self.scenes:
            kind = "an image that is held out" if held_out else "images that are not held out"
            raise ValueError(f"{folder} has no pair with {kind}")
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        return sum(len(own) for _, own in self.scenes)

    def make(self, index: int) -> PosedImages:
        """Make a pair.

        A pair that cannot be read is named in the log, once, and another one is drawn.

        Args:
            index: Which one, at least 0.

        Raises:
            ValueError: If no pair can be read.
        """
        rng = np.random.default_rng([self.config.seed, index])
        reason: Exception | None = None
        for _ in range(_NUM_TRIES):
            scene, own = self.scenes[rng.integers(len(self.scenes))]
            number = int(own[rng.integers(len(own))])
            try:
                return load_posed_images(scene.load(number), long_side=self.config.long_side)
            except (ValueError, OSError) as error:
                reason = error
                name = " and ".join(scene.image_names[place] for place in scene.pairs[number])
                if name not in self._unreadable:
                    self._unreadable.add(name)
                    _logger.warning("skipped the pair %s: %s", name, error)
        raise ValueError(f"{_NUM_TRIES} posed pairs in a row cannot be read, such as: {reason}")


def load_posed_images(pair: DepthViewPair, *, long_side: int) -> PosedImages:
    """Read the images and depth maps of a pair, as stored, and reduce them.

    Args:
        pair: The pair.
        long_side: px, to which larger images are reduced.

    Raises:
        ValueError: If a file cannot be read, or a depth map has another size than its image.
    """
    (image0, depth0, K0), (image1, depth1, K1) = (
        _load_view(view, long_side) for view in (pair.view0, pair.view1)
    )
    R, t = (torch.from_numpy(value).float() for value in (pair.pose_0to1.R, pair.pose_0to1.t))
    return PosedImages(
        image0=image0,
        image1=image1,
        depth0=depth0,
        depth1=depth1,
        K0=K0,
        K1=K1,
        R_0to1=R,
        t_0to1=t,
    )


def _load_view(view: DepthView, long_side: int) -> tuple[Tensor, Tensor, Tensor]:
    image, depth = load_stored_image(view.image, turn=0), view.read_depth()
    width, height = size = view.image_size or (image.shape[2], image.shape[1])
    if depth.shape != (height, width):
        raise ValueError(
            f"the depth map of {view.image} needs its size, {width} x {height}, found "
            f"{depth.shape[1]} x {depth.shape[0]}"
        )
    factor = min(long_side / max(size), 1.0)
    small = max(round(width * factor), 1), max(round(height * factor), 1)
    scale = small[0] / width, small[1] / height
    if small != size:
        depth = _resized_depth(depth, small)
    if (image.shape[2], image.shape[1]) != small:
        image = F.interpolate(
            image[None], size=small[::-1], mode="bilinear", align_corners=False, antialias=True
        )[0].clamp(0, 1)
    K = view.camera.K.copy()
    K[[0, 1], [0, 1]] *= scale
    K[:2, 2] = to_resized(K[:2, 2], scale=scale)
    return image, torch.from_numpy(depth), torch.from_numpy(K).float()


def _resized_depth(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate depth within surfaces, and take the nearest at edges and beside the unknown."""
    nearest = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    smooth, known = (
        cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
        for values in (depth, (depth > 0).astype(np.float32))
    )
    within = (known > _ALL_KNOWN) & (abs(smooth - nearest) < _EDGE * nearest)
    return np.where(within, smooth, nearest)


def _of_holdout(scene: PosedScene, held_out: bool) -> np.ndarray:
    """Return the indices of the pairs with an image that is held out, or of all others."""
    held = np.array([is_held_out(name) for name in scene.image_names])
    return np.flatnonzero(held[scene.pairs].any(1) == held_out)
