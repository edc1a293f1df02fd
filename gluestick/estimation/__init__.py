"""Matches -> geometry: robust estimators that take arrays and return a model with inliers."""

from gluestick.estimation.absolute_pose import AbsolutePoseEstimate, estimate_absolute_pose
from gluestick.estimation.fundamental import FundamentalEstimate, estimate_fundamental
from gluestick.estimation.homography import HomographyEstimate, estimate_homography
from gluestick.estimation.relative_pose import RelativePoseEstimate, estimate_relative_pose
from gluestick.estimation.rotation import RotationEstimate, estimate_rotation
from gluestick.estimation.two_view import TwoViewGeometry, estimate_two_view_geometry
from gluestick.estimation.uncalibrated_pose import (
    UncalibratedPoseEstimate,
    estimate_uncalibrated_pose,
)

__all__ = [
    "AbsolutePoseEstimate",
    "FundamentalEstimate",
    "HomographyEstimate",
    "RelativePoseEstimate",
    "RotationEstimate",
    "TwoViewGeometry",
    "UncalibratedPoseEstimate",
    "estimate_absolute_pose",
    "estimate_fundamental",
    "estimate_homography",
    "estimate_relative_pose",
    "estimate_rotation",
    "estimate_two_view_geometry",
    "estimate_uncalibrated_pose",
]
