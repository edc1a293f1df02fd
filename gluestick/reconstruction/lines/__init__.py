"""Line segments in space, from matched segments of photographs whose poses are known."""

from gluestick.reconstruction.lines.hypotheses import SupportConfig
from gluestick.reconstruction.lines.line_map import LineMapConfig, make_line_map
from gluestick.reconstruction.lines.values import LineMap, LineMatches, LineView

__all__ = [
    "LineMap",
    "LineMapConfig",
    "LineMatches",
    "LineView",
    "SupportConfig",
    "make_line_map",
]
