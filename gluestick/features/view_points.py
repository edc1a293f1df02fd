"""Keypoints of many small views, on an accelerator several at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.points.registry import bytes_per_pixel
from gluestick.features.protocols import BatchedPointDetector
from gluestick.images.view import View
from gluestick.precision import without_autocast
from gluestick.types import Points

_PIXELS_AT_ONCE = 2**21
"""What a detector sees in one call at most, for which ALIKED takes 0.7 GB."""


def described_keypoints(
    extractor: FeatureExtractor, views: Sequence[View], *, max_num_keypoints: int | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Find and describe the keypoints of several views, of one image or of several.

    Where the extractor is on an accelerator and its detector is a
    :class:`gluestick.features.protocols.BatchedPointDetector`, that sees views of one size in one
    call. Results then are those of one view after the other up to rounding.

    Args:
        extractor: Detects and describes.
        views: The views.
        max_num_keypoints: How many keypoints at most in each, or None for the configured number.

    Returns:
        For each view its keypoints [N, 2] in px of the original image, strongest first, and their
        descriptors [N, D]. What describes further positions, dense maps, is not kept.
    """
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for indices in _calls(extractor, views):
        some = [views[index] for index in indices]
        if len(some) == 1:
            points = [extractor.points_in(some[0], max_num_keypoints=max_num_keypoints)]
        else:
            points = _points_at_once(extractor, some, max_num_keypoints)
        for index, own in zip(indices, points, strict=True):
            found[index] = own.keypoints, own.descriptors
    return [found[index] for index in range(len(views))]


def _calls(extractor: FeatureExtractor, views: Sequence[View]) -> list[list[int]]:
    """Share the indices of views out among calls of the detector."""
    detector, tiles = extractor.point_detector, extractor.config.tiles
    if not extractor.accelerated or not isinstance(detector, BatchedPointDetector):
        return [[index] for index in range(len(views))]
    pixels = _PIXELS_AT_ONCE
    if tiles.memory is not None:
        pixels = min(pixels, int(tiles.memory / bytes_per_pixel(extractor.config.points.name)))
    sizes: dict[tuple[int, ...], list[int]] = {}
    for index, view in enumerate(views):
        sizes.setdefault(tuple(view.image.shape[1:]), []).append(index)
    calls = []
    for size, indices in sizes.items():
        most = 1 if tiles.divides(views[indices[0]].image) else pixels // (size[0] * size[1])
        most = max(1, most)
        calls += [indices[first : first + most] for first in range(0, len(indices), most)]
    return calls


@torch.no_grad()
def _points_at_once(
    extractor: FeatureExtractor, views: Sequence[View], max_num_keypoints: int | None
) -> list[Points]:
    detector = extractor.point_detector
    assert isinstance(detector, BatchedPointDetector)
    images = torch.stack([view.image for view in views])
    with without_autocast(images.device):
        found = detector.detect_each(
            images, masks=[view.mask for view in views], max_num_keypoints=max_num_keypoints
        )
    return [view.in_original(points) for view, points in zip(views, found, strict=True)]
