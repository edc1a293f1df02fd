"""Choosing a point detector by name."""

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.features.points.disk import Disk, DiskConfig
from gluestick.features.points.sift import Sift, SiftConfig
from gluestick.features.points.superpoint import SuperPoint, SuperPointConfig
from gluestick.features.points.xfeat import XFeat, XFeatConfig
from gluestick.features.protocols import PointDetector

PointDetectorName = Literal["aliked", "disk", "xfeat", "sift", "superpoint"]


@dataclass(frozen=True, kw_only=True)
class PointDetectorConfig:
    """Which point detector, and the options that detectors share.

    Attributes:
        name: The detector.
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The score that a keypoint exceeds, in the detector's own unit, or
            None for its default.
        nms_radius: Keypoints keep about this distance, px, or None for the detector's default.
        variant: The network, where there are several: n16, n16rot, n32 or t16 of aliked,
            magicleap or open of superpoint. Of xfeat, whether keypoints lie within their pixels,
            subpixel, or not, published. None takes the default or what the weights hold.
        weights: A file of weights. aliked and xfeat bring their own; disk also takes "download".
    """

    name: PointDetectorName = "aliked"
    max_num_keypoints: int | None = 1024
    detection_threshold: float | None = None
    nms_radius: int | None = None
    variant: str | None = None
    weights: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """How a detector is made.

    Attributes:
        config: Its configuration class, whose fields are the options it supports.
        detector: Its class, whose constructor or ``from_pretrained`` takes the configuration.
        weights: Whether the user has to name a file of weights, may do so, or cannot.
        bytes_per_pixel: How much memory it takes for each pixel that it sees, as
            ``docs/measurements/speed/large_images.py`` measures it.
        hint: Where the weights come from.
    """

    config: type[Any]
    detector: Any
    weights: Literal["required", "optional", "none"]
    bytes_per_pixel: int
    hint: str = ""


POINT_DETECTORS = MappingProxyType(
    {
        "aliked": _Entry(
            config=AlikedConfig, detector=Aliked, weights="optional", bytes_per_pixel=310
        ),
        "disk": _Entry(
            config=DiskConfig,
            detector=Disk,
            weights="required",
            bytes_per_pixel=2300,
            hint="depth-save.pth of github.com/cvlab-epfl/disk, or 'download' to fetch it",
        ),
        "xfeat": _Entry(
            config=XFeatConfig,
            detector=XFeat,
            weights="optional",
            bytes_per_pixel=110,
        ),
        "sift": _Entry(config=SiftConfig, detector=Sift, weights="none", bytes_per_pixel=230),
        "superpoint": _Entry(
            config=SuperPointConfig,
            detector=SuperPoint,
            weights="required",
            bytes_per_pixel=1100,
            hint="superpoint_v6_from_tf.pth of github.com/rpautrat/SuperPoint (MIT), or "
            "superpoint_v1.pth of Magic Leap (non-commercial)",
        ),
    }
)
"""Every point detector by name."""


def lacks_weights(config: PointDetectorConfig) -> bool:
    """Return whether the detector needs a file of weights and the configuration names none."""
    entry = POINT_DETECTORS.get(config.name)
    return entry is not None and entry.weights == "required" and config.weights is None


def bytes_per_pixel(name: str) -> int:
    """Return how much memory a detector takes for each pixel that it sees.

    Args:
        name: The detector; the hungriest is taken for names of none.
    """
    entry = POINT_DETECTORS.get(name)
    if entry is None:
        return max(other.bytes_per_pixel for other in POINT_DETECTORS.values())
    return entry.bytes_per_pixel


def most_keypoints(config: PointDetectorConfig, num_pixels: float) -> int:
    """Return how many keypoints an image can have at most.

    Each keeps others out of its neighbourhood: SIFT's within the radius, and at least at its own
    pixel, those of the other detectors in a square with twice the radius as its side.

    Args:
        config: The choice and the shared options.
        num_pixels: The number of pixels that the detector sees.
    """
    entry = POINT_DETECTORS.get(config.name)
    radius = config.nms_radius
    if radius is None:
        radius = 0 if entry is None else entry.config.nms_radius
    side = max(1.0, radius / 2**0.5 if config.name == "sift" else radius + 1.0)
    most = math.ceil(num_pixels / side**2)
    return most if config.max_num_keypoints is None else min(most, config.max_num_keypoints)


def build_point_detector(config: PointDetectorConfig) -> PointDetector:
    """Build the detector that a configuration names, with its weights.

    Args:
        config: The choice and the shared options.

    Returns:
        The detector, on the CPU.

    Raises:
        ValueError: If there is no such detector, it does not have an option that is set, an
            option is out of range, or weights are missing or do not fit.
    """
    entry = POINT_DETECTORS.get(config.name)
    if entry is None:
        raise ValueError(
            f"no point detector {config.name!r}; there are: {', '.join(POINT_DETECTORS)}"
        )
    options = {
        name: value
        for name in ("detection_threshold", "nms_radius", "variant")
        if (value := getattr(config, name)) is not None
    }
    unsupported = options.keys() - {field.name for field in fields(entry.config)}
    if entry.weights == "none" and config.weights is not None:
        unsupported.add("weights")
    if unsupported:
        raise ValueError(
            f"the point detector {config.name} has no option {', '.join(sorted(unsupported))}: "
            "leave it out"
        )
    own_config = entry.config(max_num_keypoints=config.max_num_keypoints, **options)
    if entry.weights == "none":
        return entry.detector(own_config)
    if lacks_weights(config):
        raise ValueError(
            f"the point detector {config.name} needs a file of weights: set weights (on the "
            f"command line --detector-weights) to {entry.hint}"
        )
    return entry.detector.from_pretrained(own_config, weights=config.weights)
