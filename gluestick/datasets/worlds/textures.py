"""Textures: photographs, plain colours and patterns, with reduced copies for far away faces."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

_PATTERN_SIZE = 256  # px
_MIN_SIZE = 8  # px, the smallest side of a reduced copy
NUM_LEVELS = 6


class TextureAtlas(NamedTuple):
    """All textures of a room, at several sizes, in one list of pixels.

    Attributes:
        pixels: [N, 3] uint8.
        start: [T, levels] int64, where the pixels of each copy begin.
        width: [T, levels] int64, px.
        height: [T, levels] int64, px.
    """

    pixels: Tensor
    start: Tensor
    width: Tensor
    height: Tensor

    def to(self, device: torch.device | str) -> "TextureAtlas":
        """Return a copy on another device."""
        return TextureAtlas(*(value.to(device) for value in self))


def build_atlas(textures: list[np.ndarray]) -> TextureAtlas:
    """Reduce textures again and again by two, and join them.

    Args:
        textures: Images [H, W, 3] uint8.
    """
    copies: list[np.ndarray] = []
    for texture in textures:
        for _ in range(NUM_LEVELS):
            copies.append(texture)
            height, width = texture.shape[:2]
            if min(height, width) >= 2 * _MIN_SIZE:
                texture = cv2.resize(
                    texture, (width // 2, height // 2), interpolation=cv2.INTER_AREA
                )
    sizes = np.array([copy.shape[:2] for copy in copies])
    starts = np.concatenate([[0], np.cumsum(sizes.prod(1))[:-1]])

    def table(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.int64).reshape(len(textures), NUM_LEVELS))

    return TextureAtlas(
        pixels=torch.from_numpy(np.concatenate([copy.reshape(-1, 3) for copy in copies])),
        start=table(starts),
        width=table(sizes[:, 1]),
        height=table(sizes[:, 0]),
    )


def washed_out(rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """Return a texture [H, W, 3] uint8 with little contrast."""
    return _to_bytes(rng.uniform(60, 220) + (texture.astype(np.float32) - 128) * 0.25)


def plain(rng: np.random.Generator) -> np.ndarray:
    """Return a wall without anything on it but the grain of its paint."""
    size = _PATTERN_SIZE // 4
    grain = cv2.resize(rng.normal(0, 2.0, (size, size)).astype(np.float32), (2 * size, 2 * size))
    return _to_bytes(_color(rng) + grain[..., None])


def windows(rng: np.random.Generator) -> np.ndarray:
    """Return a facade of equal windows with bars, as far as they differ by nothing but place."""
    image = np.empty((_PATTERN_SIZE, _PATTERN_SIZE, 3), np.float32)
    image[:] = _color(rng)
    columns, rows = rng.integers(2, 6, size=2)
    glass, frame = _color(rng), _color(rng)
    share, bars = rng.uniform(0.4, 0.8, size=2), rng.integers(0, 3, size=2)
    step = _PATTERN_SIZE / np.array([columns, rows])
    for column in range(columns):
        for row in range(rows):
            start = np.round((np.array([column, row]) + (1 - share) / 2) * step).astype(int)
            end = np.round(start + share * step).astype(int)
            cv2.rectangle(image, _pair(start), _pair(end), glass.tolist(), -1)
            cv2.rectangle(image, _pair(start), _pair(end), frame.tolist(), 2)
            for axis in range(2):
                for place in np.linspace(start[axis], end[axis], bars[axis] + 2)[1:-1]:
                    first, last = start.copy(), end.copy()
                    first[axis] = last[axis] = round(place)
                    cv2.line(image, _pair(first), _pair(last), frame.tolist(), 1)
    return _to_bytes(image + rng.normal(0, 1.5, image.shape))


def bricks(rng: np.random.Generator) -> np.ndarray:
    """Return tiles, boards or bricks with joints."""
    rows = int(rng.integers(3, 13))
    columns = int(rng.integers(1, 9))
    shift = rng.choice([0.0, 0.5])
    y, x = np.mgrid[:_PATTERN_SIZE, :_PATTERN_SIZE] / _PATTERN_SIZE
    row = np.floor(y * rows)
    along = x * columns + shift * (row % 2)
    column = np.floor(along) % columns
    joint = rng.uniform(0.02, 0.1)
    is_joint = (y * rows % 1 < joint) | (along % 1 < joint * columns / rows)
    tints = rng.normal(0, rng.uniform(0, 14), (rows, columns))
    image = _color(rng) + tints[row.astype(int), column.astype(int)][..., None]
    image = np.where(is_joint[..., None], _color(rng), image)
    return _to_bytes(image + rng.normal(0, 2, image.shape))


def stripes(rng: np.random.Generator) -> np.ndarray:
    """Return stripes of different widths along one axis."""
    edges = np.sort(rng.uniform(0, _PATTERN_SIZE, rng.integers(2, 14)))
    colors = np.stack([_color(rng) for _ in range(len(edges) + 1)])
    index = np.searchsorted(edges, np.arange(_PATTERN_SIZE))
    image = np.broadcast_to(colors[index][None], (_PATTERN_SIZE, _PATTERN_SIZE, 3))
    if rng.random() < 0.5:
        image = image.transpose(1, 0, 2)
    return _to_bytes(image + rng.normal(0, 2, image.shape))


PATTERNS = (plain, plain, windows, bricks, stripes)


def _color(rng: np.random.Generator) -> np.ndarray:
    return (rng.uniform(40, 230) + rng.uniform(-35, 35, size=3)).astype(np.float32)


def _pair(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.clip(np.round(values), 0, 255).astype(np.uint8))
