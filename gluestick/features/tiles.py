"""Keypoints of large images, tile by tile, in memory that does not grow with the image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.features.points.selection import strongest, suppress_neighbours
from gluestick.features.protocols import PointDetector
from gluestick.types import Points

_ALIGNMENT = 32
"""Tiles start at multiples of this, px, where the networks' coarse maps have their cells."""

_SEAM = 2.0
"""Keypoints of two tiles that are nearer than this, px, are one."""

_BESIDE = 1.4
"""How many times the memory of a single image each of two takes that are seen at a time, since
neither thread has what the other gave back."""


@dataclass(frozen=True, kw_only=True)
class TileConfig:
    """Whether keypoints are detected in tiles of the resized image.

    Attributes:
        size: The side of a tile without what it shares with its neighbours, px, a multiple of
            32; None to detect in the whole image at once. Images that are no larger are not
            divided.
        overlap: How far a tile reaches into its neighbours, px, a multiple of 32, so that what
            lies at a seam is seen with its surroundings.
        memory: How many bytes the point detector may take, or None for no limit. Images that
            need more are divided into tiles that do not, by what the detector takes per pixel
            (:func:`gluestick.features.points.registry.bytes_per_pixel`).
    """

    size: int | None = None
    overlap: int = 64
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.size is not None and (self.size < _ALIGNMENT or self.size % _ALIGNMENT):
            raise ValueError(
                f"tiles need a size that is a multiple of {_ALIGNMENT} px, or None, found "
                f"{self.size}"
            )
        if self.overlap < 0 or self.overlap % _ALIGNMENT:
            raise ValueError(
                f"tiles need an overlap that is a multiple of {_ALIGNMENT} px, found {self.overlap}"
            )

        if self.memory is not None and not self.memory > 0:
            raise ValueError(f"tiles need a positive memory, or None, found {self.memory}")

    def divides(self, image: Tensor) -> bool:
        """Return whether an image [..., H, W] is larger than a tile."""
        return self.size is not None and max(image.shape[-2:]) > self.size

    def has_room_for(
        self, image_sizes: Sequence[tuple[int, int]], *, bytes_per_pixel: float
    ) -> bool:
        """Return whether the memory is enough for any two images of these sizes at a time."""
        most = max((width * height for width, height in image_sizes), default=0)
        return self.memory is None or 2 * _BESIDE * most * bytes_per_pixel <= self.memory

    def within_memory(self, image_size: tuple[int, int], *, bytes_per_pixel: float) -> "TileConfig":
        """Return the options with tiles for an image that need no more than the memory.

        Args:
            image_size: (width, height) px.
            bytes_per_pixel: What the detector takes.

        Raises:
            ValueError: If the smallest tiles need more.
        """
        width, height = image_size
        pixels = width * height if self.size is None else min(width * height, self.shown**2)
        if self.memory is None or pixels * bytes_per_pixel <= self.memory:
            return self
        side = int((self.memory / bytes_per_pixel) ** 0.5) - 2 * self.overlap
        size = side // _ALIGNMENT * _ALIGNMENT
        if size < _ALIGNMENT:
            raise ValueError(
                f"tiles of {_ALIGNMENT} px need {self.least_memory(bytes_per_pixel) / 1e6:.0f} MB, "
                f"and the memory for them is {self.memory / 1e6:.0f} MB: allow more"
            )
        return replace(self, size=size)

    @property
    def shown(self) -> int:
        """The longest side that a detector sees of a tile, px, where there is a size."""
        return (self.size or 0) + 2 * self.overlap

    def least_memory(self, bytes_per_pixel: float) -> float:
        """Return what the smallest tile needs, bytes."""
        return bytes_per_pixel * (_ALIGNMENT + 2 * self.overlap) ** 2


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A part of an image.

    Attributes:
        core: (x0, y0, x1, y1) px, the pixels that are this tile's own; those of all tiles
            together are the image.
        shown: (x0, y0, x1, y1) px, what a detector sees of the image for them.
    """

    core: tuple[int, int, int, int]
    shown: tuple[int, int, int, int]

    def crop(self, image: Tensor) -> Tensor:
        """Return what a detector sees of [..., H, W]."""
        x0, y0, x1, y1 = self.shown
        return image[..., y0:y1, x0:x1]

    def own_pixels(self, image: Tensor, mask: Tensor | None) -> Tensor:
        """Return which pixels of the crop of [3, H, W] are the tile's own and allowed: bool."""
        x0, y0, x1, y1 = self.core
        own = torch.zeros(image.shape[1:], dtype=torch.bool, device=image.device)
        own[y0:y1, x0:x1] = True if mask is None else mask[y0:y1, x0:x1].to(own)
        return self.crop(own)

    def owns(self, positions: Tensor) -> Tensor:
        """Return which positions [M, 2] px of the image, moved into it, are this tile's: bool."""
        x, y = positions.round().unbind(-1)
        x0, y0, x1, y1 = self.core
        return (x >= x0) & (x < x1) & (y >= y0) & (y < y1)

    def offset(self, positions: Tensor) -> Tensor:
        """Return where the crop starts, [2] px, like positions."""
        return positions.new_tensor(self.shown[:2])


def tiles_of(image_size: tuple[int, int], *, config: TileConfig) -> list[Tile]:
    """Divide an image into tiles, row by row.

    Args:
        image_size: (width, height) px.
        config: The options; its size is not None.

    Returns:
        At least one tile.
    """
    columns, rows = (
        list(_intervals(length, size=config.size or length, overlap=config.overlap))
        for length in image_size
    )
    return [
        Tile(core=(x0, y0, x1, y1), shown=(left, top, right, bottom))
        for (y0, y1), (top, bottom) in rows
        for (x0, x1), (left, right) in columns
    ]


def _intervals(
    length: int, *, size: int, overlap: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Divide a side evenly: what is a tile's own, and what it shows."""
    count = -(-length // size)
    step = -(-length // (count * _ALIGNMENT)) * _ALIGNMENT
    for start in range(0, length, step):
        end = min(start + step, length)
        yield (start, end), (max(0, start - overlap), min(length, end + overlap))


@dataclass(frozen=True, kw_only=True)
class TiledSampler:
    """Describes positions in an image tile by tile; the detector sees those tiles once more.

    Attributes:
        image: [3, H, W].
        tiles: The tiles of the image.
        detector: Describes.
    """

    image: Tensor
    tiles: list[Tile]
    detector: PointDetector

    @torch.no_grad()
    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, on any device: [M, D], rows of unit norm."""
        height, width = self.image.shape[1:]
        last = positions.new_tensor([width - 1, height - 1])
        inside = positions.clamp_min(0).minimum(last)
        described = positions.new_zeros(len(positions), self.detector.descriptor_dim)
        for tile in self.tiles:
            chosen = tile.owns(inside).nonzero()[:, 0]
            if len(chosen):
                crop = tile.crop(self.image)
                nowhere = torch.zeros(crop.shape[1:], dtype=torch.bool, device=crop.device)
                describe = self.detector.detect(crop, mask=nowhere).describe
                moved = inside[chosen] - tile.offset(inside)
                described[chosen] = describe(moved).to(described)
        return described


@torch.no_grad()
def detect_in_tiles(
    detector: PointDetector,
    image: Tensor,
    *,
    mask: Tensor | None,
    max_num_keypoints: int | None,
    config: TileConfig,
) -> Points:
    """Find and describe keypoints tile by tile; of all tiles the strongest are kept.

    Args:
        detector: Sees one tile at a time.
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool, or None; keypoints lie only where it is True.
        max_num_keypoints: How many keypoints at most; None for all that the tiles give.
        config: The options, which divide the image.

    Returns:
        The keypoints in px of ``image``, strongest first.

    Raises:
        ShapeError: If the image or the mask has another shape.
    """
    sizes = check_shapes("detect_in_tiles", {"image": image}, {"image": "3 H W"})
    if mask is not None:
        check_shapes("detect", {"image": image, "mask": mask}, {"image": "3 H W", "mask": "H W"})
    tiles = tiles_of((sizes["W"], sizes["H"]), config=config)
    found = [_own_keypoints(detector, tile, image, mask, max_num_keypoints) for tile in tiles]
    keypoints, scores, descriptors = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = strongest(scores, max_num_keypoints=None)
    order = order[~_found_twice(keypoints[order], tiles)][:max_num_keypoints]
    return Points(
        keypoints=keypoints[order],
        scores=scores[order],
        descriptors=descriptors[order],
        describe=TiledSampler(image=image, tiles=tiles, detector=detector),
    )


def _own_keypoints(
    detector: PointDetector,
    tile: Tile,
    image: Tensor,
    mask: Tensor | None,
    max_num_keypoints: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the keypoints [N, 2] px of the image in a tile, their scores and descriptors."""
    own = tile.own_pixels(image, mask)
    points = detector.detect(tile.crop(image), mask=own, max_num_keypoints=max_num_keypoints)
    keypoints = points.keypoints + tile.offset(points.keypoints)
    return keypoints, points.scores, points.descriptors


def _found_twice(keypoints: Tensor, tiles: Sequence[Tile]) -> Tensor:
    """Return which keypoints [N, 2], strongest first, have a stronger one across a seam."""
    near = torch.zeros(len(keypoints), dtype=torch.bool, device=keypoints.device)
    for axis in (0, 1):
        for seam in {tile.core[axis] for tile in tiles} - {0}:
            near |= (keypoints[:, axis] - (seam - 0.5)).abs() <= _SEAM
    twice = torch.zeros_like(near)
    twice[near] = ~suppress_neighbours(keypoints[near], radius=_SEAM)
    return twice
