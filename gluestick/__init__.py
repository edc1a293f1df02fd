"""Match two images by keypoints and line segments."""

from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Camera, Features, Lines, Matches, Pose, Wireframe

__all__ = [
    "Camera",
    "Features",
    "Lines",
    "Matches",
    "PointLineMatcher",
    "Pose",
    "Wireframe",
    "load_image",
]
