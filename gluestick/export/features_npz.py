"""The features of one image in one numpy archive."""

import os

import numpy as np

from gluestick.storage.atomic import atomic_path
from gluestick.types import Features


def write_features_npz(path: str | os.PathLike[str], features: Features, *, index: int = 0) -> None:
    """Write the features of one image of a batch.

    The archive holds ``image_size`` [2] int64 (width, height) px, ``keypoints`` [N, 2] px,
    ``keypoint_scores`` [N], ``descriptors`` [N, D], ``lines`` [L, 2, 2] px and ``line_scores``
    [L], float32.

    Args:
        path: The archive.
        features: The features of a batch of images.
        index: Which image of the batch.

    Raises:
        ValueError: If ``path`` is a folder or lies below a file.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    keypoints, lines = features.keypoint_mask[index], features.line_mask[index]
    tensors = {
        "keypoints": features.keypoints[index][keypoints],
        "keypoint_scores": features.keypoint_scores[index][keypoints],
        "descriptors": features.descriptors[index][keypoints],
        "lines": features.lines[index][lines],
        "line_scores": features.line_scores[index][lines],
    }
    arrays = {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in tensors.items()}
    image_size = features.image_size[index].cpu().numpy().astype(np.int64)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, image_size=image_size, **arrays)
