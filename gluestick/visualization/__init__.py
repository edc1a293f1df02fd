"""Pictures of keypoints, lines and matches, and a page to look through them."""

from gluestick.visualization.matches import (
    draw_features,
    draw_line_matches,
    draw_point_matches,
    save_picture,
)
from gluestick.visualization.pages.viewer import write_viewer

__all__ = [
    "draw_features",
    "draw_line_matches",
    "draw_point_matches",
    "save_picture",
    "write_viewer",
]
