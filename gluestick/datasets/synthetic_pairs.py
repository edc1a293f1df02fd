"""Pairs of views of one photograph, by random homographies, zooms or tilts, and changes of light.

A pair depends on the seed, the photograph's path and the pair's number alone, so that more
photographs do not change the pairs of those that were there.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.homographies import HomographyConfig, sample_views
from gluestick.datasets.photographs import list_photographs, load_photograph
from gluestick.datasets.photometric import PhotometricChange, sample_photometric_change
from gluestick.datasets.zooms_and_tilts import draw_tilt, draw_zoom

ZOOMS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
TILTS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True, kw_only=True)
class SyntheticPairsConfig(HomographyConfig):
    """Which pairs are made, with the options of :class:`HomographyConfig`.

    Attributes:
        width: The width of the images, px. Photographs are cut centrally to the images' aspect
            ratio and resized.
        height: Their height, px.
        pairs_per_photograph: How many pairs are made of each photograph.
        num_photographs: How many photographs are taken, drawn by the seed; None for all.
        holdout: Whether only the fixed 5% of photographs are taken that are never trained on;
            see :func:`gluestick.datasets.holdout.is_held_out`.
        photometric_probability: How likely it is in [0, 1] that a view's light, colour or
            sharpness changes.
        change: By what the views differ. ``homography``: both are random; ``zoom``: view 0 is a
            window of the photograph, enlarged, and view 1 the whole; ``tilt``: view 0 is the
            photograph, and view 1 the same squeezed along a random direction, in black. Of the
            options of :class:`HomographyConfig` only ``max_turn`` matters to the latter.
        strength: The zoom or tilt, at least 1; None for each of :data:`ZOOMS` or :data:`TILTS` in
            turn, pair after pair of a photograph.
        seed: Decides everything that is random.
    """

    width: int = 640
    height: int = 480
    pairs_per_photograph: int = 2
    num_photographs: int | None = None
    holdout: bool = False
    photometric_probability: float = 0.75
    change: Literal["homography", "zoom", "tilt"] = "homography"
    strength: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height", "pairs_per_photograph"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        if self.num_photographs is not None and self.num_photographs < 1:
            raise ValueError(
                f"num_photographs needs to be at least 1 or None, found {self.num_photographs}"
            )
        if self.strength is not None and self.strength < 1:
            raise ValueError(f"strength needs to be at least 1 or None, found {self.strength}")
        if self.seed < 0:
            raise ValueError(f"seed needs to be at least 0, found {self.seed}")


@dataclass(frozen=True, kw_only=True)
class SyntheticView:
    """A view of a photograph.

    Attributes:
        H: [3, 3] float64 px, from the photograph to the view.
        change: What happens to the pixels.
    """

    H: np.ndarray
    change: PhotometricChange


@dataclass(frozen=True, kw_only=True)
class SyntheticPair:
    """Two views of a photograph that are yet to be made.

    Attributes:
        path: The photograph.
        name: Its path relative to the folder, ``#``, and the number of the pair.
        image_size: (width, height) px of the photograph, once it is cut and resized, and of both
            views.
        views: View 0 and view 1.
        zoom: How much closer view 0 is, for a pair that differs by that.
        tilt: By how much view 1 is squeezed, for a pair that differs by that.
    """

    path: Path
    name: str
    image_size: tuple[int, int]
    views: tuple[SyntheticView, SyntheticView]
    zoom: float | None = None
    tilt: float | None = None

    @property
    def H_0to1(self) -> np.ndarray:  # noqa: N802
        """[3, 3] float64 px, from view 0 to view 1."""
        return self.views[1].H @ np.linalg.inv(self.views[0].H)

    def load(self) -> tuple[Tensor, Tensor]:
        """Read the photograph and make both views of it.

        Returns:
            Two images [3, H, W] float32 in [0, 1].

        Raises:
            ValueError: If the photograph cannot be read.
        """
        finer = self.zoom or 1.0
        photograph = load_photograph(self.path, image_size=self.image_size, max_detail=finer)
        image0, image1 = (view.change.apply(self._seen(photograph, view.H)) for view in self.views)
        return _to_tensor(image0), _to_tensor(image1)

    def _seen(self, photograph: np.ndarray, H: np.ndarray) -> np.ndarray:
        """Return a photograph, which may be finer than the pair's, as a view shows it.

        What is squeezed is made larger and reduced, so that nothing is aliased.
        """
        size, given = np.array(self.image_size), np.array(photograph.shape[1::-1])
        from_finer = _resizing(size / given)
        coarser = 1
        if self.zoom is not None or self.tilt is not None:
            smallest = np.linalg.svd((H @ from_finer)[:2, :2], compute_uv=False)[1]
            coarser = max(math.ceil(1 / smallest - 1e-6), 1)
        large = _resizing(np.full(2, coarser)) @ H @ from_finer
        seen = cv2.warpPerspective(photograph, large, tuple(int(side) for side in size * coarser))
        return cv2.resize(seen, self.image_size, interpolation=cv2.INTER_AREA)


def draw_synthetic_pairs(
    photo_dir: Path, config: SyntheticPairsConfig | None = None
) -> list[SyntheticPair]:
    """Draw pairs; no image is read.

    Args:
        photo_dir: A folder of photographs; those in folders below it are taken, too.
        config: Which.

    Returns:
        The pairs, by the alphabetical order of the photographs.

    Raises:
        ValueError: If there is no folder, or no photograph in it that can be taken.
    """
    config = config or SyntheticPairsConfig()
    names = list_photographs(photo_dir)
    if config.holdout:
        names = [name for name in names if is_held_out(name)]
        if not names:
            raise ValueError(
                f"none of the photographs in {photo_dir} is held out: use holdout=false"
            )
    if config.num_photographs is not None and config.num_photographs < len(names):
        rng = np.random.default_rng(config.seed)
        chosen = rng.choice(len(names), size=config.num_photographs, replace=False)
        names = [names[index] for index in sorted(chosen)]
    numbers = range(config.pairs_per_photograph)
    return [_draw_pair(photo_dir, name, number, config) for name in names for number in numbers]


def _draw_pair(
    photo_dir: Path, photograph: str, number: int, config: SyntheticPairsConfig
) -> SyntheticPair:
    size = (config.width, config.height)
    digest = hashlib.sha256(photograph.encode()).digest()
    rng = np.random.default_rng([config.seed, number, int.from_bytes(digest[:8], "big")])
    zoom = tilt = None
    turned: dict[str, Any] = {"image_size": size, "max_turn": config.max_turn or 0.0}
    if config.change == "zoom":
        zoom = config.strength or ZOOMS[number % len(ZOOMS)]
        maps = draw_zoom(rng, zoom=zoom, **turned)
    elif config.change == "tilt":
        tilt = config.strength or TILTS[number % len(TILTS)]
        maps = draw_tilt(rng, tilt=tilt, **turned)
    else:
        maps = sample_views(rng, image_size=size, config=config)
    view0, view1 = (
        SyntheticView(
            H=H,
            change=sample_photometric_change(rng, probability=config.photometric_probability),
        )
        for H in maps
    )
    return SyntheticPair(
        path=photo_dir / photograph,
        name=f"{photograph}#{number}",
        image_size=size,
        views=(view0, view1),
        zoom=zoom,
        tilt=tilt,
    )


def _resizing(scale: np.ndarray) -> np.ndarray:
    """Return the map [3, 3] of pixels of an image to those of one resized by (x, y)."""
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = (scale - 1) / 2
    return matrix


def _to_tensor(image: np.ndarray) -> Tensor:
    """[H, W, 3] uint8 to [3, H, W] float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
