"""How one photograph shows what another one shows, found with the detector itself.

Where matching finds next to nothing, one photograph may be a detail of the other or show it from
another side. Both are described once more, small and squeezed in several directions (Morel and
Yu, "ASIFT", SIAM J. Imaging Sciences 2009), and the descriptions of both are compared: mutual
nearest neighbours that follow one affine map too often for chance tell how the photographs lie to
each other. No network is needed for that, and what the first attempt found is one of the
descriptions.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Literal

import numpy as np
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import as_rows, compose, inverse, resizing
from gluestick.images.resize import ResizeConfig
from gluestick.images.view import View, upright_view, warped_view
from gluestick.side_by_side import run_side_by_side
from gluestick.timing import StageTimer
from gluestick.types import ViewFrame
from gluestick.viewpoint.affine_evidence import AffineEvidence, distinct_maps, fit_affine
from gluestick.viewpoint.described_views import Described, describe_views
from gluestick.viewpoint.turns.affine_turn import mutual_nearest

_TURNS = ((0.0, 90.0, 180.0, -90.0), (45.0, 135.0, -135.0, -45.0))
"""Small copies are turned by the first of these, and by the others if that tells nothing: detectors
bear turns of a little less than 45 degrees."""

_SURE = -6.0
"""The log10 of the number of false alarms below which nothing else is searched."""

_SHARE = 0.25
"""Maps are left out whose log10 of the number of false alarms is not this share of the best's."""

Sizes = tuple[tuple[int, int], tuple[int, int]]
"""(width, height) px of both images."""

Kind = Literal["small", "squeezed"]
"""What is compared: wholes with small copies, or squeezed copies with each other and wholes."""

_AS_IT_IS = ResizeConfig(size=None)


@dataclass(frozen=True, kw_only=True)
class ViewSearchConfig:
    """Options of the search.

    Attributes:
        whole_size: The length to which the longer side of a larger image is reduced where all its
            details are described, px.
        max_num_whole_keypoints: How many keypoints are described there: a detail that is eight
            times as close shows a 64th of them.
        sizes: The long sides of the small copies, px, each seen in eight turns.
        unsqueezed_sizes: The long sides of the copies that are compared with squeezed ones, px.
        size: The long side of what is squeezed, px.
        tilts: By how much it is squeezed.
        num_directions: In how many directions, evenly spread over half a turn.
        max_num_keypoints: How many keypoints are described in each small or squeezed copy.
        max_error: How far matches may be from the affine map, as a share of the longer side.
        max_false_alarms: The log10 of the number of false alarms below which a map that small
            copies tell is tried.
        max_squeezed_false_alarms: The same for squeezed copies, which are alike, so that wrong
            matches recur: one in ten pairs of unrelated photographs has a map below the default;
            see docs/architecture.md.
        max_candidates: How many maps are tried with the matcher.
    """

    whole_size: int = 768
    max_num_whole_keypoints: int = 4096
    sizes: tuple[int, ...] = (120,)
    unsqueezed_sizes: tuple[int, ...] = (320, 200, 120)
    size: int = 320
    tilts: tuple[float, ...] = (3.0,)
    num_directions: int = 6
    max_num_keypoints: int = 384
    max_error: float = 0.015
    max_false_alarms: float = 0.0
    max_squeezed_false_alarms: float = -6.0
    max_candidates: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        object.__setattr__(self, "unsqueezed_sizes", tuple(self.unsqueezed_sizes))
        object.__setattr__(self, "tilts", tuple(self.tilts))


class SearchedImage:
    """Shows one image in several views of a copy of it.

    The copy has the details that count; it is reduced, and its contrast stretched, once for all.

    Args:
        extractor: Makes the copy.
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool, or None.
        config: The options.

    Attributes:
        image: The image itself.
        size: (width, height) px of the copy.
        reduction: The affine map from px of the image to px of the copy.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        image: Tensor,
        mask: Tensor | None,
        config: ViewSearchConfig,
    ) -> None:
        self.image = image
        self._config = config
        self._copy = extractor.view(image, mask, resize=ResizeConfig(size=config.whole_size))
        height, width = self._copy.image.shape[1:]
        self.size = (width, height)
        self.reduction = resizing([width / image.shape[2], height / image.shape[1]])

    def whole(self) -> list[View]:
        """Return it with all its details."""
        return [self._copy]

    def small(self, turns: Sequence[float]) -> list[View]:
        """Return small copies, each in all of these turns."""
        upright = [
            upright_view(self._copy.image, self._copy.mask, resize=ResizeConfig(size=size))
            for size in self._config.sizes
        ]
        return [view.turned(turn) for view in upright for turn in turns]

    def squeezed(self) -> list[View]:
        """Return copies, and what one of them looks like squeezed in several directions."""
        return [
            warped_view(self._copy.image, self._copy.mask, frame=frame, resize=_AS_IT_IS)
            for frame in squeezed_frames(self.size, config=self._config)
        ]


def squeezed_frames(size: tuple[int, int], *, config: ViewSearchConfig) -> Iterator[ViewFrame]:
    """Return the views of an image of a size (width, height) px, the unsqueezed ones first."""
    for length in config.unsqueezed_sizes:
        yield _centred(min(1.0, length / max(size)) * np.eye(2), size)
    scale = min(1.0, config.size / max(size))
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
    found: list[AffineEvidence] = []
    for maps in _maps_in_steps(extractor, batch0, batch1, config=config):
        found += maps
        if any(evidence.log10_false_alarms < _SURE for evidence in maps):
            break
    found.sort(key=lambda evidence: evidence.log10_false_alarms)
    (height0, width0), (height1, width1) = (batch.images[0].shape[1:] for batch in (batch0, batch1))
    distinct = distinct_maps(found, size0=(width0, height0), size1=(width1, height1))
    return _worth_trying(distinct)[: config.max_candidates]


def _worth_trying(found: list[AffineEvidence]) -> list[AffineEvidence]:
    """Leave out maps, best first, for which far less speaks than for the best."""
    if not found:
        return []
    best = found[0].log10_false_alarms
    return [each for each in found if each.log10_false_alarms <= max(best, _SHARE * best)]


def _maps_in_steps(
    extractor: FeatureExtractor,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    config: ViewSearchConfig,
) -> Iterator[list[AffineEvidence]]:
    """Compare views of two images in steps of rising cost, and yield the maps that each tells."""
    images = [batch.images[0] for batch in (batch0, batch1)]
    masks = [None if batch.masks is None else batch.masks[0] for batch in (batch0, batch1)]
    both = [
        SearchedImage(extractor, image, mask, config)
        for image, mask in zip(images, masks, strict=True)
    ]
    tell = partial(maps_between, both=both, config=config)
    describe = partial(describe_both, extractor, both)
    whole0, whole1 = describe(SearchedImage.whole, config.max_num_whole_keypoints)
    few = config.max_num_keypoints
    for turns in _TURNS:
        small0, small1 = describe(partial(SearchedImage.small, turns=turns), few)
        yield tell(((whole0, small1), (small0, whole1)), kind="small")
    squeezed0, squeezed1 = describe(SearchedImage.squeezed, few)
    squeezed = ((squeezed0, squeezed1), (whole0, squeezed1), (squeezed0, whole1))
    yield tell(squeezed, kind="squeezed")


def describe_both(
    extractor: FeatureExtractor,
    both: Sequence[SearchedImage],
    show: Callable[[SearchedImage], list[View]],
    max_num_keypoints: int,
) -> list[list[Described]]:
    """Describe two images in several views each.

    On an accelerator all views go through the detector together; on the CPU both images are
    looked at side by side where they may be, at one view after the other.

    Args:
        extractor: Detects and describes.
        both: The images.
        show: Returns the views of an image.
        max_num_keypoints: How many keypoints are described in each view.

    Returns:
        For each image its views, in px of its copy.
    """

    def described(images: Sequence[SearchedImage], _: StageTimer) -> list[list[Described]]:
        views = [show(image) for image in images]
        every = [*chain(*views)]
        found = iter(describe_views(extractor, every, max_num_keypoints=max_num_keypoints))
        return [[*islice(found, len(own))] for own in views]

    calls = [both] if extractor.accelerated else [[each] for each in both]
    apart = extractor.serves_threads([each.image for each in both])
    found = run_side_by_side([partial(described, images) for images in calls], apart=apart)
    return [*chain(*found)]


def maps_between(
    described: Iterable[tuple[Sequence[Described], Sequence[Described]]],
    *,
    both: Sequence[SearchedImage],
    kind: Kind,
    config: ViewSearchConfig,
) -> list[AffineEvidence]:
    """Find the maps between two images that comparisons of their views tell.

    Args:
        described: What is compared, of image 0 and of image 1; of both each with each.
        both: The images.
        kind: What is compared, which decides what is taken.
        config: The options.

    Returns:
        Affine maps from image 0 to image 1.
    """
    limits = {"small": config.max_false_alarms, "squeezed": config.max_squeezed_false_alarms}
    reduction0, reduction1 = (each.reduction for each in both)
    return [
        replace(each, affine=compose(inverse(reduction1), compose(each.affine, reduction0)))
        for described0, described1 in described
        for each in compare(
            described0,
            described1,
            sizes=(both[0].size, both[1].size),
            config=config,
            num_tests=_num_tests(config),
            max_false_alarms=limits[kind],
        )
    ]


def _num_tests(config: ViewSearchConfig) -> int:
    num_small = len(config.sizes) * sum(map(len, _TURNS))
    num_squeezed = len(config.unsqueezed_sizes) + len(config.tilts) * config.num_directions
    return 2 * num_small + num_squeezed**2 + 2 * num_squeezed
