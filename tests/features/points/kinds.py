"""Every point detector with random weights, for what all of them have to do."""

import torch

from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.features.points.disk import Disk, DiskConfig
from gluestick.features.points.sift import Sift, SiftConfig
from gluestick.features.points.superpoint import SuperPoint, SuperPointConfig
from gluestick.features.points.xfeat import XFeat, XFeatConfig
from gluestick.features.protocols import PointDetector

KINDS = {
    "aliked": (Aliked, AlikedConfig, {"detection_threshold": 0.01}),
    "disk": (Disk, DiskConfig, {"detection_threshold": -10.0}),
    "xfeat": (XFeat, XFeatConfig, {"detection_threshold": 0.0}),
    "sift": (Sift, SiftConfig, {}),
    "superpoint": (SuperPoint, SuperPointConfig, {"detection_threshold": 0.0}),
}


def build(kind: str, **options) -> PointDetector:
    detector, config, defaults = KINDS[kind]
    torch.manual_seed(0)
    return detector(config(**(defaults | {"max_num_keypoints": 40} | options)))
