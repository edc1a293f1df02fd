"""The depth of pairs, as supervision takes it."""

import numpy as np
import torch
from torch import Tensor

from gluestick.benchmarks.tasks.protocol import Prediction
from gluestick.datasets.posed.depth_views import DepthViewPair
from gluestick.supervision import DepthPair


def load_depth_pair(pair: DepthViewPair, prediction: Prediction) -> DepthPair:
    """Read the depth of a pair.

    Args:
        pair: The pair.
        prediction: In stored pixels; see
            :func:`gluestick.benchmarks.tasks.predicted_matches.in_stored_pixels`.

    Returns:
        A batch of one.

    Raises:
        ValueError: If a depth map is missing, or does not have the size of the image that was
            matched.
    """
    depths = []
    for side, view in enumerate((pair.view0, pair.view1)):
        depth = view.read_depth()
        size = tuple(prediction[f"image_size{side}"].tolist())
        if depth.shape[::-1] != size:
            raise ValueError(
                f"the depth map of {view.image} needs the size of the image that was matched, "
                f"{size[0]} x {size[1]}, found {depth.shape[1]} x {depth.shape[0]}"
            )
        depths.append(depth)
    return DepthPair(
        depth0=batch_of_one(depths[0]),
        depth1=batch_of_one(depths[1]),
        image_size0=batch_of_one(prediction["image_size0"]),
        image_size1=batch_of_one(prediction["image_size1"]),
        K0=batch_of_one(pair.view0.camera.K),
        K1=batch_of_one(pair.view1.camera.K),
        R_0to1=batch_of_one(pair.pose_0to1.R),
        t_0to1=batch_of_one(pair.pose_0to1.t),
    )


def batch_of_one(array: np.ndarray) -> Tensor:
    """Return an array as a tensor with a batch dimension in front."""
    return torch.from_numpy(np.ascontiguousarray(array))[None]
