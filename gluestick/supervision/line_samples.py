"""Line segments sampled into points, which are carried into the other image."""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.lines import points_on_lines
from gluestick.supervision.reprojection import (
    DepthPair,
    Reprojection,
    clip_to_pixels,
    reproject_by_depth,
    reproject_by_homography,
)
from gluestick.supervision.rules import GroundTruthConfig

SHAPES = {"lines0": "B L0 2 2", "lines1": "B L1 2 2"}


class LineSamples(NamedTuple):
    """The line segments of two images, and their samples in the other image.

    Attributes:
        lines0: [B, L0, 2, 2] px, clipped to image 0.
        lines1: [B, L1, 2, 2] px, clipped to image 1.
        from0: [B, L0, S, ...], the samples of ``lines0``, carried into image 1.
        from1: [B, L1, S, ...], the samples of ``lines1``, carried into image 0.
    """

    lines0: Tensor
    lines1: Tensor
    from0: Reprojection
    from1: Reprojection


def carry_lines_by_homography(
    lines0: Tensor,
    lines1: Tensor,
    H_0to1: Tensor,
    *,
    image_size0: Tensor,
    image_size1: Tensor,
    config: GroundTruthConfig,
) -> LineSamples:
    """Sample the line segments of a plane and carry the samples through a homography.

    The samples of a line are visible unless it is absent from the other image.

    Args:
        lines0: [B, L0, 2, 2] px.
        lines1: [B, L1, 2, 2] px.
        H_0to1: [B, 3, 3], from image 0 to image 1.
        image_size0: [B, 2], (width, height) px.
        image_size1: [B, 2], (width, height) px.
        config: The rule.

    Returns:
        The samples.

    Raises:
        ShapeError: If a shape does not fit.
    """
    arrays = {"lines0": lines0, "lines1": lines1, "H_0to1": H_0to1}
    sizes = {"image_size0": image_size0, "image_size1": image_size1}
    specs = SHAPES | {"H_0to1": "B 3 3", "image_size0": "B 2", "image_size1": "B 2"}
    check_shapes("ground truth", arrays | sizes, specs)
    lines0 = clip_to_pixels(lines0, image_size0, config=config)
    lines1 = clip_to_pixels(lines1, image_size1, config=config)
    H_1to0 = torch.linalg.inv(H_0to1)
    directions = ((lines0, H_0to1, image_size1), (lines1, H_1to0, image_size0))
    from0, from1 = (
        _per_line(
            reproject_by_homography(_samples(lines, config), H, image_size=size, config=config),
            config,
        )
        for lines, H, size in directions
    )
    return LineSamples(lines0, lines1, _hide_absent(from0, config), _hide_absent(from1, config))


def carry_lines_by_depth(
    lines0: Tensor, lines1: Tensor, pair: DepthPair, *, config: GroundTruthConfig
) -> LineSamples:
    """Sample the line segments of a scene and carry the samples through its depth.

    Args:
        lines0: [B, L0, 2, 2] px.
        lines1: [B, L1, 2, 2] px.
        pair: The two images.
        config: The rule.

    Returns:
        The samples.

    Raises:
        ShapeError: If a shape does not fit.
    """
    arrays = {"lines0": lines0, "lines1": lines1, "pair.K0": pair.K0}
    check_shapes("ground truth", arrays, SHAPES | {"pair.K0": "B 3 3"})
    lines0 = clip_to_pixels(lines0, pair.image_size0, config=config)
    lines1 = clip_to_pixels(lines1, pair.image_size1, config=config)
    from0, from1 = (
        _per_line(reproject_by_depth(_samples(lines, config), views, config=config), config)
        for lines, views in ((lines0, pair), (lines1, pair.reversed()))
    )
    return LineSamples(lines0, lines1, from0, from1)


def is_absent(samples: Reprojection, *, config: GroundTruthConfig) -> Tensor:
    """Tell which lines lie outside the other image, or are hidden there, for the most part.

    Args:
        samples: [B, L, S, ...].
        config: Its ``min_visibility`` applies.

    Returns:
        [B, L] bool.
    """
    return samples.absent.float().mean(-1) >= 1 - config.min_visibility


def _samples(lines: Tensor, config: GroundTruthConfig) -> Tensor:
    fractions = torch.linspace(0, 1, config.num_samples, dtype=lines.dtype, device=lines.device)
    return points_on_lines(lines, fractions).flatten(1, 2)  # [B, L*S, 2]


def _per_line(samples: Reprojection, config: GroundTruthConfig) -> Reprojection:
    shape = (samples.known.shape[1] // config.num_samples, config.num_samples)
    return Reprojection(*(value.unflatten(1, shape) for value in samples))


def _hide_absent(samples: Reprojection, config: GroundTruthConfig) -> Reprojection:
    present = ~is_absent(samples, config=config)
    return samples._replace(visible=present[..., None].expand_as(samples.visible))
