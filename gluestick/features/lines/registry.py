"""Line detectors by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from gluestick.features.lines.edlines import EDLines
from gluestick.features.lines.lsd import LSD, LSDConfig
from gluestick.features.lines.none import NoLines
from gluestick.features.protocols import LineDetector

LINE_DETECTORS: Mapping[str, type[LSD] | type[EDLines] | type[NoLines]] = MappingProxyType(
    {"lsd": LSD, "edlines": EDLines, "none": NoLines}
)
"""Every line detector, by name."""


@dataclass(frozen=True, kw_only=True)
class LineDetectorConfig(LSDConfig):
    """A line detector and its options; those it does not have are ignored.

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
        ValueError: If there is no detector of that name, or OpenCV lacks it.
    """
    if config.name not in LINE_DETECTORS:
        raise ValueError(
            f"no line detector {config.name!r}; there are: {', '.join(LINE_DETECTORS)}"
        )
    return LINE_DETECTORS[config.name](config)
