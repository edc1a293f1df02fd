"""What matches: two wireframes, or two images."""

from typing import Protocol, TypeVar

import torch

from gluestick.features.image_batch import OneOrMoreImages, OneOrMoreLines, OneOrMoreMasks
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe

_Matcher = TypeVar("_Matcher", bound="Matcher")


class MatchingNetwork(Protocol):
    """Maps two batches of wireframes to matches; implementations are modules of torch."""

    def __call__(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches; a batch gives what its pairs give one by one.

        Raises:
            ValueError: If the batches or the descriptors do not fit.
        """


class Matcher(Protocol):
    """Matches two images: :class:`gluestick.pipeline.PointLineMatcher`, or a peer."""

    @property
    def device(self) -> torch.device:
        """What it runs on."""

    def to(self: _Matcher, device: torch.device) -> _Matcher:
        """Move it to a device, and return it."""

    def eval(self: _Matcher) -> _Matcher:
        """Switch off what only training needs, and return it."""

    def __call__(
        self,
        image0: OneOrMoreImages,
        image1: OneOrMoreImages,
        *,
        mask0: OneOrMoreMasks | None = None,
        mask1: OneOrMoreMasks | None = None,
        lines0: OneOrMoreLines | None = None,
        lines1: OneOrMoreLines | None = None,
        timer: StageTimer | None = None,
    ) -> tuple[Wireframe, Wireframe, Matches]:
        """Match two images, or a batch of pairs of images.

        Args:
            image0: One image or a sequence of B images; see
                :func:`gluestick.features.image_batch.as_image_batch`.
            image1: As many.
            mask0: For each image 0 [H, W], where it may be matched, or None.
            mask1: The same for the images 1.
            lines0: For each image 0 segments of your own, or None.
            lines1: The same for the images 1.
            timer: Where the seconds of the stages are added up.

        Returns:
            The wireframes of both sides and the matches between them.

        Raises:
            ValueError: If an image is not one, the numbers of images differ, or masks or lines
                are given to a matcher that takes none.
        """
