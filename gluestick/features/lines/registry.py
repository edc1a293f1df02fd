"""Line detectors by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal

from gluestick.features.lines.edlines import EDLines
from gluestick.features.lines.lsd import LSD, LSDConfig
from gluestick.features.lines.none import NoLines
from gluestick.features.lines.scores import LineSelectionConfig
from gluestick.features.protocols import LineDetector

LINE_DETECTORS: Mapping[str, type[LSD] | type[EDLines] | type[NoLines]] = MappingProxyType(
    {"lsd": LSD, "edlines": EDLines, "none": NoLines}
)
"""Every line detector, by name."""

_OPTIONS: Mapping[str, type[LineSelectionConfig]] = MappingProxyType(
    {"lsd": LSDConfig, "edlines": LineSelectionConfig, "none": LineSelectionConfig}
)


@dataclass(frozen=True, kw_only=True)
class LineDetectorConfig(LSDConfig):
    """A line detector and its options, of which it needs to have those that are set.

    Attributes:
        name: Which detector: "lsd", "edlines" or "none".
    """

    name: Literal["lsd", "edlines", "none"] = "lsd"


def build_line_detector(config: LineDetectorConfig) -> LineDetector:
    """Build the line detector that a configuration names.

    Args:
        config: The name and the options.

    Returns:
        The detector.

    Raises:
        ValueError: If there is no detector of that name, OpenCV lacks it, or an option that it
            does not have differs from its default.
    """
    if config.name not in LINE_DETECTORS:
        raise ValueError(
            f"no line detector {config.name!r}; there are: {', '.join(LINE_DETECTORS)}"
        )
    _check_options(config)
    return LINE_DETECTORS[config.name](config)


def most_lines(config: LineDetectorConfig, num_pixels: float) -> int:
    """Return how many segments an image can have at most, of which no two share a pixel.

    Args:
        config: The name and the options.
        num_pixels: The number of pixels that the detector sees.
    """
    if config.name == "none":
        return 0
    most = math.ceil(num_pixels / max(1.0, config.min_length))
    return most if config.max_num_lines is None else min(most, config.max_num_lines)


def _check_options(config: LineDetectorConfig) -> None:
    """Refuse options that are set and that the named detector does not have."""
    own = {field.name for field in fields(_OPTIONS[config.name])} | {"name"}
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in own and value != field.default:
            raise ValueError(
                f"the line detector {config.name!r} has no option {field.name!r}, found "
                f"{field.name}={value}: leave it out, or set it to its default {field.default}"
            )
