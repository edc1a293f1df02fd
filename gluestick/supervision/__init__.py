"""Ground truth from a homography or from depth, and the metrics that compare with it."""

from gluestick.supervision.ground_truth import ground_truth_from_depth, ground_truth_from_homography
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig

__all__ = [
    "DepthPair",
    "GroundTruthConfig",
    "ground_truth_from_depth",
    "ground_truth_from_homography",
]
