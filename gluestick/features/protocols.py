"""What a point detector and a line detector have to offer."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from gluestick.types import Lines, Points


@runtime_checkable
class PointDetector(Protocol):
    """Finds and describes keypoints, and describes any other position."""

    descriptor_dim: int
    """The size D of the descriptors."""

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe the keypoints of one image.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            The keypoints in px of ``image``, strongest first; none for a blank image.
        """


@runtime_checkable
class BatchedPointDetector(PointDetector, Protocol):
    """A point detector whose network also takes several images of one size at once."""

    def detect_each(
        self,
        images: Tensor,
        *,
        masks: Sequence[Tensor | None] | None = None,
        max_num_keypoints: int | None = None,
    ) -> list[Points]:
        """Find and describe the keypoints of each of several images.

        Args:
            images: [B, 3, H, W] float32 in [0, 1], RGB.
            masks: For each image [H, W] bool or None; or None.
            max_num_keypoints: How many keypoints at most in each image, or None for the
                configured number.

        Returns:
            For each image what :meth:`detect` gives, up to rounding. What describes further
            positions keeps the maps of all images alive.

        Raises:
            ShapeError: If the images or a mask have another shape.
            ValueError: If there is another number of masks.
        """


@runtime_checkable
class LineDetector(Protocol):
    """Finds line segments.

    Those of a :class:`gluestick.features.lines.on_host.HostLineDetector` are found while the
    networks run on an accelerator.
    """

    def detect(self, image: Tensor, *, mask: Tensor | None = None) -> Lines:
        """Find the line segments of one image.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; segments lie entirely where it is True.

        Returns:
            The segments in px of ``image``, best first; none for a blank image.
        """
