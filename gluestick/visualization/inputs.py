"""What the pictures and the viewer accept, brought to one form."""

from typing import Any

import numpy as np
from torch import Tensor

from gluestick.checks import ShapeError


def to_rgb(image: np.ndarray | Tensor) -> np.ndarray:
    """Return an image as RGB bytes.

    Args:
        image: A tensor [3, H, W] or [1, H, W] in [0, 1], or an array [H, W], [H, W, 1],
            [H, W, 3] or [H, W, 4], either uint8 or floating-point in [0, 1]; RGB. Transparency
            is dropped.

    Returns:
        [H, W, 3] uint8.

    Raises:
        ValueError: If the shape or the type is another, or the image has no pixels.
    """
    if isinstance(image, Tensor):
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise ShapeError(f"an image tensor needs [3, H, W], found {list(image.shape)}")
        image = image.detach().cpu().permute(1, 2, 0).float().numpy()  # [H, W, 3]
    if image.ndim == 2:
        image = image[..., None]  # [H, W, 1]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or image.size == 0:
        raise ShapeError(f"an image needs [H, W, 3] or [H, W], found {list(image.shape)}")
    if image.dtype.kind == "f":
        image = np.round(255 * np.clip(np.nan_to_num(image), 0, 1)).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"an image needs uint8 or floating-point numbers, found {image.dtype}")
    color = image[..., :3] if image.shape[2] > 1 else image.repeat(3, axis=2)
    return np.ascontiguousarray(color)  # [H, W, 3]


def to_coordinates(name: str, values: Any, *, lines: bool = False) -> np.ndarray:
    """Return positions as float64.

    Args:
        name: What they are, for messages.
        values: [N, 2] px, or [L, 2, 2] px for lines, an array or a tensor.
        lines: Whether these are line segments.

    Returns:
        An array of the same shape.

    Raises:
        ValueError: If the shape is another, or a number is not finite.
    """
    array = _array(values).astype(np.float64)
    needed = "[L, 2, 2]" if lines else "[N, 2]"
    if array.ndim != (3 if lines else 2) or array.shape[1:] != (2, 2)[: array.ndim - 1]:
        raise ShapeError(f"{name} needs the shape {needed}, found {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} needs finite coordinates, found NaN or infinity")
    return array


def to_homography(name: str, value: Any) -> np.ndarray:
    """Return a homography as float64.

    Args:
        name: What it is, for messages.
        value: [3, 3], an array or a tensor.

    Returns:
        [3, 3].

    Raises:
        ValueError: If the shape is another, a number is not finite, or it has no inverse.
    """
    array = _array(value).astype(np.float64)
    if array.shape != (3, 3):
        raise ShapeError(f"{name} needs the shape [3, 3], found {list(array.shape)}")
    if not np.isfinite(array).all() or np.linalg.det(array) == 0:
        raise ValueError(f"{name} needs finite numbers and an inverse, found {array.tolist()}")
    return array


def to_pairs(name: str, matches0: Any, *, count0: int, count1: int) -> np.ndarray:
    """Return the pairs of indices in a list of matches.

    Args:
        name: What the matches are, for messages.
        matches0: [N0] integers, the index in image 1 for each entry of image 0, or -1.
        count0: The number N0 of entries in image 0.
        count1: The number of entries in image 1.

    Returns:
        [S, 2] int64, indices in image 0, increasing, and in image 1.

    Raises:
        ValueError: If the shape does not fit, or an index is out of range.
    """
    index1 = _array(matches0)
    if index1.shape != (count0,):
        raise ShapeError(f"{name} needs the shape [{count0}], found {list(index1.shape)}")
    if index1.size and index1.dtype.kind not in "iu":
        raise ValueError(f"{name} needs integers, found {index1.dtype}")
    index1 = index1.astype(np.int64)
    if index1.size and not -1 <= index1.min() <= index1.max() < count1:
        raise ValueError(
            f"{name} needs indices from -1 to {count1 - 1}, found {index1.min()} to {index1.max()}"
        )
    index0 = np.flatnonzero(index1 > -1)
    return np.stack([index0, index1[index0]], axis=1)  # [S, 2]


def to_index_pairs(name: str, pairs: Any, *, counts: tuple[int, int]) -> np.ndarray:
    """Return pairs of indices, of which each entry may have many.

    Args:
        name: What they are, for messages.
        pairs: [R, 2] integers, indices in image 0 and in image 1.
        counts: The numbers of entries in both images.

    Returns:
        [R, 2] int64.

    Raises:
        ValueError: If the shape or the type does not fit, or an index is out of range.
    """
    array = _array(pairs)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ShapeError(f"{name} needs the shape [R, 2], found {list(array.shape)}")
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name} needs integers, found {array.dtype}")
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or (array.max(axis=0) >= counts).any()):
        raise ValueError(
            f"{name} needs indices below {list(counts)}, found {array.min(axis=0).tolist()} to "
            f"{array.max(axis=0).tolist()}"
        )
    return array


def to_inliers(name: str, inliers: Any, *, count: int) -> np.ndarray | None:
    """Return a mask of inliers, or ``None`` where there is none.

    Args:
        name: What the inliers are, for messages.
        inliers: [S] bool, one for each match in the order of the image 0 entries, or ``None``.
        count: The number S of matches.

    Returns:
        [S] bool or ``None``.

    Raises:
        ValueError: If the shape or the type does not fit.
    """
    if inliers is None:
        return None
    array = _array(inliers)
    if array.shape != (count,):
        raise ShapeError(
            f"{name} needs one entry for each of the {count} matches, found {list(array.shape)}"
        )
    if array.size and array.dtype.kind not in "biu":
        raise ValueError(f"{name} needs True and False, found {array.dtype}")
    return array.astype(bool)


def to_scores(name: str, scores: Any, *, count: int) -> np.ndarray:
    """Return scores as float64.

    Args:
        name: What the scores are, for messages.
        scores: [N], an array or a tensor.
        count: The number N.

    Returns:
        [N].

    Raises:
        ValueError: If the shape is another, or a number is not finite.
    """
    array = _array(scores).astype(np.float64)
    if array.shape != (count,):
        raise ShapeError(f"{name} needs the shape [{count}], found {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} needs finite numbers, found NaN or infinity")
    return array


def _array(values: Any) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)
