"""Pairs of views of one photograph, made for training."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.datasets.homographies import HomographyConfig, sample_views
from gluestick.datasets.photograph_pool import PhotographPool


@dataclass(frozen=True, kw_only=True)
class HomographyPairsConfig(HomographyConfig):
    """Which pairs are made, with the options of :class:`HomographyConfig`.

    Attributes:
        width: The width of the images, px. Photographs are resized to cover it and cut at a
            random place.
        height: Their height, px.
        max_zoom: At least 1: one of the views is enlarged by a factor of up to this, about its
            centre, on top of the change of scale that the views have anyway.
        seed: Decides all pairs, with their indices.
    """

    width: int = 640
    height: int = 480
    max_zoom: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height", "max_zoom"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed needs to be at least 0, found {self.seed}")


@dataclass(frozen=True, kw_only=True)
class HomographyPair:
    """Two views of a photograph.

    Attributes:
        image0: [3, H, W] in [0, 1].
        image1: [3, H, W].
        H_0to1: [3, 3] float64 px.
    """

    image0: Tensor
    image1: Tensor
    H_0to1: Tensor


class HomographyPairs:
    """Makes pairs, each from its index alone.

    Args:
        photographs: What the views show.
        config: The options.
    """

    def __init__(
        self, photographs: PhotographPool, config: HomographyPairsConfig | None = None
    ) -> None:
        self.photographs = photographs
        self.config = config or HomographyPairsConfig()

    def make(self, index: int) -> HomographyPair:
        """Make a pair.

        Args:
            index: Which one, at least 0.

        Returns:
            The pair.

        Raises:
            ValueError: If no photograph can be read.
        """
        config, size = self.config, (self.config.width, self.config.height)
        rng = np.random.default_rng([config.seed, index])
        photograph = _cut(rng, self.photographs.draw(rng), size)
        H0, H1 = sample_views(rng, image_size=size, config=config)
        zooms = [1.0, 1.0]
        zooms[rng.integers(2)] = config.max_zoom ** rng.random()
        H0, H1 = (_zoom(zoom, size) @ H for zoom, H in zip(zooms, (H0, H1), strict=True))
        image0, image1 = (_to_tensor(cv2.warpPerspective(photograph, H, size)) for H in (H0, H1))
        return HomographyPair(
            image0=image0, image1=image1, H_0to1=torch.from_numpy(H1 @ np.linalg.inv(H0))
        )


def _cut(rng: np.random.Generator, photograph: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a photograph so that it covers a size, and cut it to that size."""
    height, width = photograph.shape[:2]
    factor = max(size[0] / width, size[1] / height)
    covering = max(round(width * factor), size[0]), max(round(height * factor), size[1])
    shrinks = factor < 1
    photograph = cv2.resize(
        photograph, covering, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    left, top = (int(rng.integers(0, room, endpoint=True)) for room in np.array(covering) - size)
    return np.ascontiguousarray(photograph[top : top + size[1], left : left + size[0]])


def _zoom(factor: float, size: tuple[int, int]) -> np.ndarray:
    centre = (np.array(size) - 1) / 2
    shift = (1 - factor) * centre
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]], [0, 0, 1.0]])


def _to_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
