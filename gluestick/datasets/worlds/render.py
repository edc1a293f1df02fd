"""Pictures and depth maps of rooms made of parallelograms.

Along a ray through a pixel, the inverse depth of a plane and the two coordinates on it, divided
by the depth, are affine functions of the pixel's position. So each face costs a few additions
for each pixel of the box around it, and the face with the largest inverse depth is seen.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.datasets.worlds.rooms import Room
from gluestick.datasets.worlds.textures import NUM_LEVELS, TextureAtlas

NEAREST = 0.02
"""m, in front of which nothing is seen."""

NOTHING = -1
_OUTLINE = 7
"""px, the width of the band around the outline of a curved surface in which depth is unknown."""

_PIXELS_AT_ONCE = 16384  # that fit into a processor's cache


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera in a room.

    Attributes:
        K: [3, 3] px.
        R: [3, 3], X_cam = R X_room + t.
        t: [3] m.
        image_size: (width, height) px.
    """

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    image_size: tuple[int, int]

    def scaled(self, factor: float) -> "View":
        """Return the same camera with more or fewer pixels, ``factor`` times as many in a row."""
        width, height = (round(side * factor) for side in self.image_size)
        scale = np.array([width / self.image_size[0], height / self.image_size[1], 1.0])
        shift = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        K = np.diag(scale) @ (self.K + shift) - shift
        return View(K=K, R=self.R, t=self.t, image_size=(width, height))


class VisibleFaces(NamedTuple):
    """What a camera sees.

    Attributes:
        face: [H, W] int64, the face in each pixel, or ``NOTHING`` (-1).
        depth: [H, W] m, the z coordinate in the camera's frame at the pixel centres, 0 where
            nothing is seen.
        planes: [F, 3, 3], by which homogeneous pixels are multiplied to get the coordinates on
            each face along both edges, and 1, all divided by the depth.
    """

    face: Tensor
    depth: Tensor
    planes: Tensor


class Rendering(NamedTuple):
    """A picture of a room.

    Attributes:
        image: [3, H, W] in [0, 1].
        depth: [H, W] m at the pixel centres, 0 around the outlines of curved surfaces.
        face: [H, W] int64, the face at each pixel centre.
    """

    image: Tensor
    depth: Tensor
    face: Tensor


def render(
    room: Room,
    view: View,
    *,
    supersampling: int = 2,
    device: torch.device | str = "cpu",
) -> Rendering:
    """Take a picture of a room.

    Args:
        room: The room.
        view: The camera.
        supersampling: How many times as many pixels a row has before they are averaged.
        device: Where the work is done.

    Returns:
        The picture on that device.
    """
    fine = view.scaled(supersampling)
    colors = _shade(room, find_visible_faces(room, fine, device=device))
    image = F.avg_pool2d(colors[None], supersampling)[0] if supersampling > 1 else colors
    visible = find_visible_faces(room, view, device=device)
    depth = visible.depth * ~_near_outlines(room, visible.face)
    return Rendering(image=image, depth=depth, face=visible.face)


def find_visible_faces(
    room: Room, view: View, *, device: torch.device | str = "cpu"
) -> VisibleFaces:
    """Tell which face is seen in each pixel, and how far away.

    Args:
        room: The room.
        view: The camera.
        device: Where the work is done.

    Returns:
        What is seen.
    """
    width, height = view.image_size
    planes, boxes = _project_faces(room, view)
    x = torch.arange(width, dtype=torch.float32, device=device)
    y = torch.arange(height, dtype=torch.float32, device=device)[:, None]
    nearest = torch.zeros(height, width, device=device)
    face = torch.full((height, width), NOTHING, dtype=torch.int64, device=device)
    for index, (left, right, top, bottom) in boxes:
        columns, rows = slice(left, right), slice(top, bottom)
        along_u, along_v, inverse = (
            float(a) * x[columns] + (float(b) * y[rows] + float(c)) for a, b, c in planes[index]
        )
        before = nearest[rows, columns]
        margin = torch.minimum(along_u, along_v)
        margin = torch.minimum(margin, torch.sub(inverse, along_u))
        margin = torch.minimum(margin, torch.sub(inverse, along_v))
        seen = (margin >= 0) & (inverse > before)
        nearest[rows, columns] = torch.where(seen, inverse, before)
        face[rows, columns].masked_fill_(seen, index)
    seen = face > NOTHING
    depth = torch.where(seen, 1 / nearest.clamp(min=1e-9), 0)
    return VisibleFaces(face, depth, torch.from_numpy(planes).float().to(device))


def _project_faces(
    room: Room, view: View
) -> tuple[np.ndarray, list[tuple[int, tuple[int, int, int, int]]]]:
    """Return the planes of all faces, and the boxes around those that may be seen."""
    corner = room.corner @ view.R.T + view.t
    edge_u, edge_v = room.edge_u @ view.R.T, room.edge_v @ view.R.T
    # A face is seen from its front, not edge-on.
    facing = (np.cross(edge_u, edge_v) * corner).sum(1)
    basis = np.stack([edge_u, edge_v, corner], axis=2)  # [F, 3, 3]
    front = facing < -1e-9
    planes = np.zeros_like(basis)
    planes[front] = np.linalg.inv(basis[front]) @ np.linalg.inv(view.K)
    ends = np.stack([corner, corner + edge_u, corner + edge_v, corner + edge_u + edge_v], axis=1)
    behind = ends[..., 2] < NEAREST  # [F, 4]
    pixels = ends @ view.K.T
    pixels = pixels[..., :2] / np.maximum(pixels[..., 2:], NEAREST)
    size = np.array(view.image_size)
    low = np.clip(np.floor(pixels.min(1)), 0, size).astype(int)
    high = np.clip(np.ceil(pixels.max(1)) + 1, 0, size).astype(int)
    some = behind.any(1)
    low[some], high[some] = 0, size
    kept = front & ~behind.all(1) & (high > low).all(1)
    boxes = [
        (int(index), (low[index, 0], high[index, 0], low[index, 1], high[index, 1]))
        for index in np.flatnonzero(kept)
    ]
    return planes, boxes


def _shade(room: Room, visible: VisibleFaces) -> Tensor:
    """Return the colours [3, H, W] in [0, 1] of what is seen."""
    device = visible.face.device
    height, width = visible.face.shape
    surfaces = _Surfaces(
        planes=visible.planes.flatten(1),
        texture=room.texture.to(device),
        window=room.window.to(device),
        light=room.light.to(device),
        gradient=room.gradient.to(device),
        atlas=room.atlas.to(device),
    )
    x = torch.arange(width, dtype=torch.float32, device=device).repeat(height)
    y = torch.arange(height, dtype=torch.float32, device=device).repeat_interleave(width)
    values = x, y, visible.face.flatten(), visible.depth.flatten()
    at_once = _PIXELS_AT_ONCE if device.type == "cpu" else len(x)
    parts = zip(*(value.split(at_once) for value in values), strict=True)
    colors = torch.cat([_shade_pixels(surfaces, *part) for part in parts])
    return colors.T.reshape(3, height, width)


class _Surfaces(NamedTuple):
    """What the faces of a room look like, on the device of the picture."""

    planes: Tensor
    texture: Tensor
    window: Tensor
    light: Tensor
    gradient: Tensor
    atlas: TextureAtlas


def _shade_pixels(surfaces: _Surfaces, x: Tensor, y: Tensor, seen: Tensor, z: Tensor) -> Tensor:
    """Return the colours [N, 3] of pixels at x, y [N] that see faces [N] at depths [N]."""
    face = seen.clamp(min=0)
    plane = surfaces.planes[face].unbind(1)  # 9 x [N]
    u = (plane[0] * x + plane[1] * y + plane[2]) * z
    v = (plane[3] * x + plane[4] * y + plane[5]) * z
    # The derivative of u by x is (plane[0] - u * plane[6]) * z, and so on.
    area = (plane[0] - u * plane[6]) * (plane[4] - v * plane[7])
    area = (area - (plane[1] - u * plane[7]) * (plane[3] - v * plane[6])).abs() * z**2
    left, top, wide, high = surfaces.window[face].unbind(1)
    texels = _sample(
        surfaces.atlas,
        surfaces.texture[face],
        left + u * wide,
        top + (1 - v) * high,
        area=area * (wide * high),
    )
    along_u, along_v = surfaces.gradient[face].unbind(1)
    change = (1 + along_u * (u - 0.5) + along_v * (v - 0.5)) * (seen > NOTHING)
    return (texels * surfaces.light[face] * change[:, None]).clamp(0, 1)


def _sample(atlas: TextureAtlas, texture: Tensor, u: Tensor, v: Tensor, *, area: Tensor) -> Tensor:
    """Sample textures at shares of their sizes, reduced so that a pixel covers about a texel.

    Args:
        atlas: The textures.
        texture: [N] int64.
        u: [N], from left to right; 0 and 1 are the same.
        v: [N], from top to bottom.
        area: [N], what a pixel covers, as a share of the texture.

    Returns:
        [N, 3] in [0, 1].
    """
    texels = area * (atlas.width[texture, 0] * atlas.height[texture, 0])
    level = (0.5 * texels.clamp(min=1).log2()).round().long().clamp(max=NUM_LEVELS - 1)
    start = atlas.start[texture, level]
    width, height = atlas.width[texture, level], atlas.height[texture, level]
    x, y = (u % 1) * width - 0.5, (v % 1) * height - 0.5
    left, top = x.floor(), y.floor()
    share_x, share_y = (x - left)[:, None], (y - top)[:, None]
    left, top = left.long() % width, top.long() % height
    right, bottom = (left + 1) % width, (top + 1) % height

    def pixels(column: Tensor, row: Tensor) -> Tensor:
        return atlas.pixels[start + row * width + column].float()

    upper = torch.lerp(pixels(left, top), pixels(right, top), share_x)
    lower = torch.lerp(pixels(left, bottom), pixels(right, bottom), share_x)
    return torch.lerp(upper, lower, share_y) / 255


def _near_outlines(room: Room, face: Tensor) -> Tensor:
    """[H, W] bool, whether a curved surface ends within a few pixels."""
    device = face.device
    curved = room.curved.to(device)
    if not bool(room.curved.any()):
        return torch.zeros_like(face, dtype=torch.bool)
    piece = torch.where(
        curved[face.clamp(min=0)] & (face > NOTHING), room.piece.to(device)[face.clamp(min=0)], 0
    ).float()[None, None]  # 0 for all that is flat
    return (_highest(piece) != -_highest(-piece))[0, 0]


def _highest(values: Tensor) -> Tensor:
    """[1, 1, H, W], the highest value within a square window around each pixel."""
    pad = _OUTLINE // 2
    rows = F.max_pool2d(values, (1, _OUTLINE), stride=1, padding=(0, pad))
    return F.max_pool2d(rows, (_OUTLINE, 1), stride=1, padding=(pad, 0))
