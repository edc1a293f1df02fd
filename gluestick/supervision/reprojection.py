"""Carrying points of one image into another, through a homography or through depth."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.points import to_homogeneous
from gluestick.supervision.rules import GroundTruthConfig
from gluestick.transfers import small_tensor

NEAREST_DEPTH = 1e-4


class Reprojection(NamedTuple):
    """Points of one image, carried into another.

    Attributes:
        positions: [B, M, 2] px in the other image, NaN where the depth is unknown.
        known: [B, M] bool, whether the position is known.
        visible: [B, M] bool, known and, as far as it was checked, to be seen in the other
            image.
        absent: [B, M] bool, known to lie outside the other image, behind its camera, or
            behind a surface that it sees.
    """

    positions: Tensor
    known: Tensor
    visible: Tensor
    absent: Tensor


@dataclass(frozen=True, kw_only=True)
class DepthPair:
    """Two posed images with depth, in batches.

    Attributes:
        depth0: [B, H0, W0], the z coordinate in the camera's frame at the pixel centres, in
            the unit of ``t_0to1``; 0 where it is unknown, and in padding.
        depth1: [B, H1, W1].
        image_size0: [B, 2], (width, height) px without padding.
        image_size1: [B, 2].
        K0: [B, 3, 3] px, the calibration matrix.
        K1: [B, 3, 3].
        R_0to1: [B, 3, 3], X1 = R X0 + t.
        t_0to1: [B, 3].
    """

    depth0: Tensor
    depth1: Tensor
    image_size0: Tensor
    image_size1: Tensor
    K0: Tensor
    K1: Tensor
    R_0to1: Tensor
    t_0to1: Tensor

    def __post_init__(self) -> None:
        specs = {
            "depth0": "B H0 W0",
            "depth1": "B H1 W1",
            "image_size0": "B 2",
            "image_size1": "B 2",
            "K0": "B 3 3",
            "K1": "B 3 3",
            "R_0to1": "B 3 3",
            "t_0to1": "B 3",
        }
        check_shapes("DepthPair", {name: getattr(self, name) for name in specs}, specs)

    def to(self, device: torch.device | str) -> "DepthPair":
        """Return the pair on another device."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return DepthPair(**moved)

    def reversed(self) -> "DepthPair":
        """Return the same pair with image 1 first."""
        R_1to0 = self.R_0to1.mT
        return DepthPair(
            depth0=self.depth1,
            depth1=self.depth0,
            image_size0=self.image_size1,
            image_size1=self.image_size0,
            K0=self.K1,
            K1=self.K0,
            R_0to1=R_1to0,
            t_0to1=-(R_1to0 @ self.t_0to1[..., None])[..., 0],
        )


def reproject_by_homography(
    points: Tensor, H: Tensor, *, image_size: Tensor | None = None, config: GroundTruthConfig
) -> Reprojection:
    """Carry points of a plane into another image.

    Nothing hides a plane, so every point counts as known and visible.

    Args:
        points: [B, M, 2] px.
        H: [B, 3, 3], from the points' image to the other.
        image_size: [B, 2], (width, height) px of the other image; None if it has no end.
        config: Its ``glue_factory_numerics`` apply.

    Returns:
        The points in the other image, in the precision of ``points``.
    """
    mapped = to_homogeneous(points).to(H.dtype) @ H.to(points.device).mT  # [B, M, 3]
    scale = mapped[..., 2:] + 1e-5 if config.glue_factory_numerics else mapped[..., 2:]
    positions = (mapped[..., :2] / scale).to(points.dtype)
    everywhere = torch.ones_like(positions[..., 0], dtype=torch.bool)
    return Reprojection(
        positions=positions,
        known=everywhere,
        visible=everywhere,
        absent=~everywhere if image_size is None else ~_within_pixels(positions, image_size),
    )


def reproject_by_depth(
    points: Tensor, pair: DepthPair, *, cycle: bool = False, config: GroundTruthConfig
) -> Reprojection:
    """Carry points of image 0 into image 1 through the depth of image 0.

    Args:
        points: [B, M, 2] px in image 0.
        pair: The two images.
        cycle: Whether ``config.cycle_error`` applies.
        config: Its ``cycle_error``, ``depth_error`` and ``glue_factory_numerics`` apply.

    Returns:
        The points in image 1, in the precision of ``points``.
    """
    pair = pair.to(points.device)
    fade_out = config.glue_factory_numerics
    cut = int(config.glue_factory_numerics)
    depth = sample_depth(pair.depth0, points, fade_out=fade_out)
    known = depth.isfinite()
    moved = _unproject(points, depth, pair.K0) @ pair.R_0to1.mT.to(points)
    moved = moved + pair.t_0to1[:, None].to(points)  # [B, M, 3]
    positions, in_front = _project(moved, pair.K1)
    visible = known & in_front & _within_pixels(positions, pair.image_size1 - cut, closed=True)
    absent = known & ~(in_front & _within_pixels(positions, pair.image_size1))

    if config.depth_error is not None or (cycle and config.cycle_error is not None):
        seen = sample_depth(pair.depth1, positions, fade_out=fade_out)
    if config.depth_error is not None:
        occluded = visible & (moved[..., 2] > seen * (1 + config.depth_error))
        visible, absent = visible & ~occluded, absent | occluded
    if cycle and config.cycle_error is not None:
        back = _unproject(positions, seen, pair.K1) - pair.t_0to1[:, None].to(points)
        returned, in_front = _project(back @ pair.R_0to1.to(points), pair.K0)
        error = torch.linalg.vector_norm(returned - points, dim=-1)
        visible = visible & in_front & (error < config.cycle_error)
        visible &= _within_pixels(returned, pair.image_size0 - cut, closed=True)
    return Reprojection(positions=positions, known=known, visible=visible, absent=absent)


def sample_depth(depth: Tensor, points: Tensor, *, fade_out: bool = False) -> Tensor:
    """Interpolate depth bilinearly, or take the nearest pixel's where a neighbour is unknown.

    Args:
        depth: [B, H, W], 0 where unknown.
        points: [B, M, 2] px.
        fade_out: Mix with 0 within the outermost half pixel of the map instead of repeating
            the outermost values.

    Returns:
        [B, M], NaN where unknown and outside the map.
    """
    height, width = depth.shape[-2:]
    known = torch.where(depth > 0, depth.to(points), torch.nan)[:, None]  # [B, 1, H, W]
    grid = (points + 0.5) * 2 / small_tensor([width, height], like=points) - 1
    grid = grid[:, None]  # [B, 1, M, 2]
    padding = "zeros" if fade_out else "border"
    sampled = [
        F.grid_sample(known, grid, mode=mode, padding_mode=padding, align_corners=False)[:, 0, 0]
        for mode in ("bilinear", "nearest")
    ]
    values = torch.where(sampled[0].isnan(), sampled[1], sampled[0])  # [B, M]
    inside = (grid[:, 0].abs() <= 1).all(-1)
    return torch.where((values > 0) & (inside | fade_out), values, torch.nan)


def clip_to_pixels(lines: Tensor, image_size: Tensor, *, config: GroundTruthConfig) -> Tensor:
    """Move endpoints outside an image to its border, each coordinate on its own.

    Args:
        lines: [B, L, 2, 2] px.
        image_size: [B, 2], (width, height) px.
        config: Its ``glue_factory_numerics`` apply.

    Returns:
        [B, L, 2, 2] px, within [-0.5, width - 0.5] and [-0.5, height - 0.5].
    """
    highest = (image_size - 0.5 - int(config.glue_factory_numerics)).to(lines)
    return torch.minimum(lines.clamp(min=-0.5), highest[:, None, None])


def _within_pixels(positions: Tensor, image_size: Tensor, *, closed: bool = False) -> Tensor:
    """[B, M] bool: whether the positions lie on pixels; ``closed`` includes the far border."""
    offset = positions + 0.5
    size = image_size[:, None].to(positions)
    below = offset <= size if closed else offset < size
    return ((offset >= 0) & below).all(-1)


def _unproject(points: Tensor, depth: Tensor, K: Tensor) -> Tensor:
    rays = to_homogeneous(points) @ torch.linalg.inv(K).mT.to(points)
    return rays * depth[..., None]  # [B, M, 3]


def _project(points: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    depth = points[..., 2:]
    image = points / depth.clamp(min=NEAREST_DEPTH) @ K.mT.to(points)
    return image[..., :2], depth[..., 0] > NEAREST_DEPTH
