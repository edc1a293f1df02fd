"""The values that flow between the steps."""

from gluestick.types.cameras import Camera
from gluestick.types.images import (
    DescriptorSampler,
    Features,
    Lines,
    Points,
    Pose,
    Wireframe,
    pad_and_stack,
)
from gluestick.types.pairs import GroundTruth, Matches
from gluestick.types.views import ViewFrame

__all__ = [
    "Camera",
    "DescriptorSampler",
    "Features",
    "GroundTruth",
    "Lines",
    "Matches",
    "Points",
    "Pose",
    "ViewFrame",
    "Wireframe",
    "pad_and_stack",
]
