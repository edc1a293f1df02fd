"""Line detectors that need grey values in the host's memory, and no device."""

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor

from gluestick.features.lines.edge_profiles import gray_values
from gluestick.transfers import to_device, to_host
from gluestick.types import Lines


class HostLineDetector(ABC):
    """A line detector that runs on the CPU, whose objects may serve several threads."""

    @abstractmethod
    def detect_gray(self, gray: np.ndarray, *, mask: Tensor | None = None) -> Lines:
        """Find the line segments of one image; no device is touched.

        Args:
            gray: [H, W] uint8, as from :func:`gluestick.features.lines.edge_profiles.gray_values`.
            mask: [H, W] bool on the CPU; segments lie entirely where it is True.

        Returns:
            The segments in px of the image, best first, on the CPU; none for a blank image.

        Raises:
            ShapeError: If the mask has another shape.
        """

    def detect(self, image: Tensor, *, mask: Tensor | None = None) -> Lines:
        """Find the line segments of one image.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; segments lie entirely where it is True.

        Returns:
            The segments in px of ``image``, best first, on its device; none for a blank image.

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        gray, on_host = host_values(image, mask)
        return moved_lines(self.detect_gray(gray, mask=on_host), like=image)


def host_values(image: Tensor, mask: Tensor | None) -> tuple[np.ndarray, Tensor | None]:
    """Return what :meth:`HostLineDetector.detect_gray` takes of an image [3, H, W] and its mask.

    Raises:
        ShapeError: If the image has another shape.
    """
    return gray_values(image), None if mask is None else mask.bool().cpu()


def moved_lines(lines: Lines, *, like: Tensor) -> Lines:
    """Return segments on the device of a tensor, in one copy."""
    segments, scores = to_device(*to_host(lines.lines, lines.scores), device=like.device)
    return Lines(lines=segments, scores=scores)
