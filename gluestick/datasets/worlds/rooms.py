"""Rooms with furniture, each face with a texture and a light of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gluestick.datasets.worlds.furniture import FURNITURE
from gluestick.datasets.worlds.solids import Faces, hollow, join_faces
from gluestick.datasets.worlds.textures import PATTERNS, TextureAtlas, build_atlas, washed_out

DrawPhotograph = Callable[[np.random.Generator], np.ndarray]
"""Draws a photograph, [H, W, 3] uint8."""

_NUM_PHOTOGRAPHS = 10
_NUM_PATTERNS = 8
_SMALLEST_ROOM, _LARGEST_ROOM = (2.5, 3.0, 2.3), (6.5, 8.0, 3.6)
_NUM_PIECES = (4, 12)
_PHOTOGRAPH_SHARE, _WASHED_OUT_SHARE, _TILED_SHARE = 0.65, 0.2, 0.3
_AMBIENT = 0.55
_CURVED_GRADIENT_LIMIT = 0.8


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is to be seen.

    Attributes:
        size: [3] m, from the origin.
        corner: [F, 3] m, of the faces.
        edge_u: [F, 3] m.
        edge_v: [F, 3] m.
        curved: [F] bool, parts of curved surfaces.
        piece: [F] int64, equal for the faces of one thing.
        texture: [F] int64, the texture of each face.
        window: [F, 4], the part of the texture that it shows: its origin and its size as shares
            of the texture; what leaves the texture enters it at the other side.
        light: [F, 3], by which its colours are multiplied.
        gradient: [F, 2], how the light changes along both edges, as a share of itself.
        atlas: The textures.
    """

    size: np.ndarray
    corner: np.ndarray
    edge_u: np.ndarray
    edge_v: np.ndarray
    curved: Tensor
    piece: Tensor
    texture: Tensor
    window: Tensor
    light: Tensor
    gradient: Tensor
    atlas: TextureAtlas


def draw_room(rng: np.random.Generator, draw_photograph: DrawPhotograph) -> Room:
    """Draw a room.

    Args:
        rng: The source of randomness.
        draw_photograph: Draws the photographs for the textures.

    Returns:
        The room, on the CPU.
    """
    size = rng.uniform(_SMALLEST_ROOM, _LARGEST_ROOM)
    walls = hollow(size)
    parts = [walls]
    pieces = [np.zeros(len(walls), dtype=np.int64)]
    makers, odds = zip(*FURNITURE, strict=True)
    for piece in range(1, rng.integers(*_NUM_PIECES) + 1):
        made = makers[rng.choice(len(makers), p=odds)](rng, size)
        parts += made
        pieces += [np.full(len(part), piece) for part in made]
    textures = _draw_textures(rng, draw_photograph)
    chosen = [_choose_textures(rng, len(part), each=part is walls) for part in parts]
    texture = np.concatenate(chosen)
    faces = join_faces(parts)
    light, gradient = _illuminate(rng, faces)
    tints = np.concatenate(
        [np.tile(rng.uniform(0.75, 1.2) + rng.normal(0, 0.04, 3), (len(part), 1)) for part in parts]
    )
    shapes = np.array([image.shape[:2] for image in textures])[texture]
    return Room(
        size=size,
        corner=faces.corner,
        edge_u=faces.edge_u,
        edge_v=faces.edge_v,
        curved=torch.from_numpy(faces.curved),
        piece=torch.from_numpy(np.concatenate(pieces)),
        texture=torch.from_numpy(texture),
        window=torch.from_numpy(_draw_windows(rng, faces, shapes)).float(),
        light=torch.from_numpy(light[:, None] * tints).float(),
        gradient=torch.from_numpy(gradient).float(),
        atlas=build_atlas(textures),
    )


def _draw_textures(rng: np.random.Generator, draw_photograph: DrawPhotograph) -> list[np.ndarray]:
    """Return textures: the photographs, then the patterns."""
    textures = []
    for _ in range(_NUM_PHOTOGRAPHS):
        image = draw_photograph(rng)
        textures.append(washed_out(rng, image) if rng.random() < _WASHED_OUT_SHARE else image)
    return textures + [PATTERNS[rng.integers(len(PATTERNS))](rng) for _ in range(_NUM_PATTERNS)]


def _choose_textures(rng: np.random.Generator, count: int, *, each: bool) -> np.ndarray:
    """Return the textures of the faces of a part: of each face, or one for all."""
    number = count if each or (count <= 6 and rng.random() < 0.5) else 1
    chosen = np.where(
        rng.random(number) < _PHOTOGRAPH_SHARE,
        rng.integers(_NUM_PHOTOGRAPHS, size=number),
        _NUM_PHOTOGRAPHS + rng.integers(_NUM_PATTERNS, size=number),
    )
    return np.broadcast_to(chosen, count) if number == 1 else chosen


def _draw_windows(rng: np.random.Generator, faces: Faces, shapes: np.ndarray) -> np.ndarray:
    """Return what each face shows of its texture [F, 4], without stretching it."""
    strip = faces.strip[:, 1] - faces.strip[:, 0]
    width = np.linalg.norm(faces.edge_u, axis=1) / strip
    height = np.linalg.norm(faces.edge_v, axis=1)
    aspect = width / height * shapes[:, 0] / shapes[:, 1]
    tiles = np.where(rng.random(len(faces)) < _TILED_SHARE, 2.0, rng.uniform(0.6, 1, len(faces)))
    size = np.stack([np.minimum(aspect, 1), np.minimum(1 / aspect, 1)], axis=1) * tiles[:, None]
    origin = rng.uniform(size=(len(faces), 2)) * np.maximum(1 - size, 0)
    curved = faces.curved
    if curved.any():  # the strips of a mantle continue each other
        size[curved], origin[curved] = size[curved][:1], origin[curved][:1]
    origin[:, 0] += faces.strip[:, 0] * size[:, 0]
    size[:, 0] *= strip
    return np.concatenate([origin, size], axis=1)


def _illuminate(rng: np.random.Generator, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Return the light on each face [F] and its gradients [F, 2]."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    normal = np.cross(faces.edge_u, faces.edge_v)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    light = _lambert(normal @ direction)
    gradient = rng.normal(0, 0.12, (len(faces), 2))
    curved = np.flatnonzero(faces.curved)
    if len(curved):  # the light of a mantle is continuous from strip to strip
        half = faces.edge_u[curved] / np.linalg.norm(faces.edge_u[curved], axis=1, keepdims=True)
        bend = np.pi * (faces.strip[curved, 1] - faces.strip[curved, 0])[:, None]
        first, last = (
            _lambert((np.cos(bend) * normal[curved] + sign * np.sin(bend) * half) @ direction)
            for sign in (-1, 1)
        )
        light[curved] = (first + last) / 2
        change = (last - first) / light[curved]
        gradient[curved] = 0
        gradient[curved, 0] = np.clip(change, -_CURVED_GRADIENT_LIMIT, _CURVED_GRADIENT_LIMIT)
    return light, gradient


def _lambert(cosine: np.ndarray) -> np.ndarray:
    return _AMBIENT + (1.1 - _AMBIENT) * np.clip(cosine, 0, 1)
