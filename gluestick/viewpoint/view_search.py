"""How one photograph shows what another one shows, found with the detector itself.

Where matching finds next to nothing, one photograph may be a detail of the other or show it from
another side. Both are described once more, small and squeezed in several directions (Morel and
Yu, "ASIFT", SIAM J. Imaging Sciences 2009), and the descriptions of both are compared: mutual
nearest neighbours that follow one affine map too often for chance tell how the photographs lie to
each other. No network is needed for that, and what the first attempt found is one of the
descriptions.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import apply, as_rows, inverse
from gluestick.images.resize import ResizeConfig
from gluestick.images.view import View
from gluestick.transfers import to_host
from gluestick.types import ViewFrame
from gluestick.viewpoint.affine_evidence import AffineEvidence, fit_affine
from gluestick.viewpoint.turns.affine_turn import mutual_nearest

_TURNS = ((0.0, 90.0, 180.0, -90.0), (45.0, 135.0, -135.0, -45.0))
"""Small copies are turned by the first of these, and by the others if that tells nothing: detectors
bear turns of a little less than 45 degrees."""

_SURE = -6.0
"""The log10 of the number of false alarms below which nothing else is searched."""

Sizes = tuple[tuple[int, int], tuple[int, int]]
"""(width, height) px of both images."""

_AS_IT_IS = ResizeConfig(size=None)

_ALIKE = 0.3
"""Maps are one that differ by less, in their linear parts and, as a share of an image's side, in
what they show in its centre."""


@dataclass(frozen=True, kw_only=True)
class ViewSearchConfig:
    """Options of the search.

    Attributes:
        whole_size: The length to which the longer side of a larger image is reduced where all its
            details are described, px.
        max_num_whole_keypoints: How many keypoints are described there: a detail that is eight
            times as close shows a 64th of them.
        sizes: The long sides of the small copies, px, each seen in eight turns.
        size: The long side of what is squeezed, px.
        tilts: By how much it is squeezed.
        num_directions: In how many directions, evenly spread over half a turn.
        max_num_keypoints: How many keypoints are described in each small or squeezed copy.
        max_error: How far matches may be from the affine map, as a share of the longer side.
        max_false_alarms: The log10 of the number of false alarms below which a map that small
            copies tell is tried.
        max_squeezed_false_alarms: The same for squeezed copies, which are alike, so that wrong
            matches recur.
        max_candidates: How many maps are tried with the matcher.
    """

    whole_size: int = 768
    max_num_whole_keypoints: int = 4096
    sizes: tuple[int, ...] = (120,)
    size: int = 320
    tilts: tuple[float, ...] = (3.0,)
    num_directions: int = 6
    max_num_keypoints: int = 384
    max_error: float = 0.015
    max_false_alarms: float = 0.0
    max_squeezed_false_alarms: float = -2.0
    max_candidates: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        object.__setattr__(self, "tilts", tuple(self.tilts))


class Described(NamedTuple):
    """The keypoints of one image in one view.

    Attributes:
        positions: [N, 2] px of the image.
        descriptors: [N, D], rows of unit norm.
    """

    positions: np.ndarray
    descriptors: np.ndarray


def _describe(extractor: FeatureExtractor, view: View, *, max_num_keypoints: int) -> Described:
    points = extractor.points_in(view, max_num_keypoints=max_num_keypoints)
    positions, descriptors = to_host(points.keypoints, points.descriptors)
    return Described(positions.astype(np.float64), descriptors)


def describe_whole(
    extractor: FeatureExtractor, image: Tensor, mask: Tensor | None, config: ViewSearchConfig
) -> Described:
    """Describe an image with all its details."""
    view = extractor.view(image, mask, resize=ResizeConfig(size=config.whole_size))
    return _describe(extractor, view, max_num_keypoints=config.max_num_whole_keypoints)


def describe_small(
    extractor: FeatureExtractor,
    image: Tensor,
    mask: Tensor | None,
    config: ViewSearchConfig,
    *,
    turns: Sequence[float],
) -> Iterator[Described]:
    """Describe small copies of an image, each in all of these turns."""
    for size in config.sizes:
        upright = extractor.view(image, mask, resize=ResizeConfig(size=size))
        for turn in turns:
            yield _describe(
                extractor, upright.turned(turn), max_num_keypoints=config.max_num_keypoints
            )


def describe_squeezed(
    extractor: FeatureExtractor, image: Tensor, mask: Tensor | None, config: ViewSearchConfig
) -> Iterator[Described]:
    """Describe a copy of an image, and what it looks like squeezed in several directions."""
    height, width = image.shape[1:]
    for frame in squeezed_frames((width, height), config=config):
        view = extractor.view(image, mask, frame=frame, resize=_AS_IT_IS)
        yield _describe(extractor, view, max_num_keypoints=config.max_num_keypoints)


def squeezed_frames(size: tuple[int, int], *, config: ViewSearchConfig) -> Iterator[ViewFrame]:
    """Return the views of an image of a size (width, height) px, the unsqueezed one first."""
    scale = min(1.0, config.size / max(size))
    yield _centred(scale * np.eye(2), size)
    for tilt in config.tilts:
        for step in range(config.num_directions):
            angle = math.pi * step / config.num_directions
            direction = np.array([math.cos(angle), math.sin(angle)])
            squeeze = np.eye(2) - (1 - 1 / tilt) * np.outer(direction, direction)
            yield _centred(scale * squeeze, size)


def _centred(linear: np.ndarray, size: tuple[int, int]) -> ViewFrame:
    """Return the view of a whole image under a linear map [2, 2] about its centre."""
    canvas = np.maximum(np.ceil(abs(linear) @ np.array(size)), 1)
    shift = (canvas - 1) / 2 - linear @ ((np.array(size) - 1) / 2)
    width, height = canvas.astype(int).tolist()
    return ViewFrame(affine=as_rows(np.column_stack([linear, shift])), size=(width, height))


def compare(
    described0: Sequence[Described],
    described1: Sequence[Described],
    *,
    sizes: Sizes,
    config: ViewSearchConfig,
    num_tests: int,
    max_false_alarms: float,
) -> list[AffineEvidence]:
    """Find the affine maps that mutual nearest neighbours follow, of each two descriptions.

    Args:
        described0: Those of image 0.
        described1: Those of image 1; each is compared with each.
        sizes: (width, height) px of both images.
        config: The options.
        num_tests: How many comparisons are made in all.
        max_false_alarms: The log10 of the number of false alarms below which a map is taken.

    Returns:
        The maps, best first.
    """
    found = []
    for one in described0:
        for other in described1:
            matched0, matched1, _ = mutual_nearest(one.descriptors, other.descriptors)
            evidence = fit_affine(
                one.positions[matched0],
                other.positions[matched1],
                size0=sizes[0],
                size1=sizes[1],
                max_error=config.max_error,
                num_tests=num_tests,
            )
            if evidence is not None and evidence.log10_false_alarms < max_false_alarms:
                found.append(evidence)
    return sorted(found, key=lambda evidence: evidence.log10_false_alarms)


def search_views(
    extractor: FeatureExtractor,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    config: ViewSearchConfig,
) -> list[AffineEvidence]:
    """Search how two images lie to each other.

    Args:
        extractor: Detects and describes.
        batch0: Image 0, a batch of one.
        batch1: Image 1, a batch of one.
        config: The options.

    Returns:
        Affine maps from image 0 to image 1 that are no chance, best first, no two alike.
    """
    images = [
        (batch.images[0], None if batch.masks is None else batch.masks[0])
        for batch in (batch0, batch1)
    ]
    (height0, width0), (height1, width1) = (image.shape[1:] for image, _ in images)
    sizes = (width0, height0), (width1, height1)
    whole0, whole1 = ([describe_whole(extractor, *image, config)] for image in images)
    num_small = 2 * len(config.sizes) * sum(map(len, _TURNS))
    num_squeezed = 1 + len(config.tilts) * config.num_directions
    maps_between = partial(
        compare,
        sizes=sizes,
        config=config,
        num_tests=num_small + num_squeezed**2,
    )
    found: list[AffineEvidence] = []
    for turns in _TURNS:
        small0, small1 = (
            list(describe_small(extractor, *image, config, turns=turns)) for image in images
        )
        found += maps_between(whole0, small1, max_false_alarms=config.max_false_alarms)
        found += maps_between(small0, whole1, max_false_alarms=config.max_false_alarms)
        if any(evidence.log10_false_alarms < _SURE for evidence in found):
            break
    if not found:
        squeezed0, squeezed1 = (
            list(describe_squeezed(extractor, *image, config)) for image in images
        )
        limit = config.max_squeezed_false_alarms
        found = maps_between(squeezed0, squeezed1, max_false_alarms=limit)
    found.sort(key=lambda evidence: evidence.log10_false_alarms)
    return _distinct(found, sizes)[: config.max_candidates]


def _distinct(found: Sequence[AffineEvidence], sizes: Sizes) -> list[AffineEvidence]:
    """Leave out maps that would lead to about the same views as better ones."""
    kept: list[AffineEvidence] = []
    for evidence in found:
        if not any(_alike(evidence.affine, other.affine, sizes) for other in kept):
            kept.append(evidence)
    return kept


def _alike(affine: np.ndarray, other: np.ndarray, sizes: Sizes) -> bool:
    change = inverse(other)[:, :2] @ affine[:, :2] - np.eye(2)
    if np.linalg.norm(change, ord=2) > _ALIKE:
        return False
    centre0, centre1 = (np.array(size) / 2 for size in sizes)
    moved1 = np.linalg.norm(apply(affine, centre0) - apply(other, centre0)) / max(sizes[1])
    back = inverse(affine), inverse(other)
    moved0 = np.linalg.norm(apply(back[0], centre1) - apply(back[1], centre1)) / max(sizes[0])
    return bool(min(moved0, moved1) < _ALIKE)
