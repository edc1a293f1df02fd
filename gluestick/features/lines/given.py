"""Line segments that the user brings along, from any source."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gluestick.geometry.lines import line_lengths
from gluestick.transfers import to_device, to_host
from gluestick.types import Lines

_OUTSIDE_TOLERANCE = 2.0  # px

LineArray = np.ndarray | Tensor | Sequence[Any]


def check_lines(lines: LineArray, *, scores: LineArray | None = None) -> Lines:
    """Turn an array of segments into :class:`gluestick.types.Lines`.

    The order is kept. Segments of length zero are dropped, so that the indices of the segments
    after them move up.

    Args:
        lines: [L, 2, 2], the two endpoints as (x, y), or [L, 4], as (x0, y0, x1, y1); px, with
            the centre of the top-left pixel at (0, 0); an array, a tensor or lists of numbers.
        scores: [L], at least 0, higher is better; the square root of the length if left out.

    Returns:
        The segments as float32, on the device of ``lines``.

    Raises:
        ValueError: If the shape or the type does not fit, or a number is not finite.
    """
    segments = _numbers(lines, name="lines")
    if segments.shape == (0,):
        segments = segments.reshape(0, 2, 2)
    if segments.ndim == 2 and segments.shape[1] == 4:
        segments = segments.reshape(-1, 2, 2)
    if segments.ndim != 3 or segments.shape[1:] != (2, 2):
        raise ValueError(
            "lines need the shape [L, 2, 2] or [L, 4] with endpoints as (x, y), found "
            f"{list(segments.shape)}: reshape them"
        )
    lengths = line_lengths(segments)
    if scores is None:
        weights = np.sqrt(lengths)
    else:
        weights = _numbers(scores, name="line scores")
        if weights.shape != lengths.shape:
            raise ValueError(
                f"line scores need one number per line, [{len(lengths)}], found "
                f"{list(weights.shape)}"
            )
        if (weights < 0).any():
            raise ValueError(f"line scores need to be at least 0, found {weights.min():g}")
    device = lines.device if isinstance(lines, Tensor) else None
    real = lengths > 0
    kept_lines, kept_scores = to_device(segments[real], weights[real], device=device or "cpu")
    return Lines(lines=kept_lines, scores=kept_scores)


def lie_inside(lines: Lines, image: Tensor) -> Lines:
    """Return segments that lie in their image, or no more than 2 px outside.

    Args:
        lines: The segments.
        image: [3, H, W], the image they are said to belong to.

    Raises:
        ValueError: If they do not.
    """
    height, width = image.shape[1:]
    (endpoints,) = to_host(lines.lines.reshape(-1, 2))
    if len(endpoints):
        low, high = endpoints.min(axis=0), endpoints.max(axis=0)
        limit = np.array([width - 1, height - 1], endpoints.dtype) + _OUTSIDE_TOLERANCE
        if (low < -_OUTSIDE_TOLERANCE).any() or (high > limit).any():
            raise ValueError(
                f"lines need to lie in their image of {width} x {height} px, found x from "
                f"{low[0]:g} to {high[0]:g} and y from {low[1]:g} to {high[1]:g}: give (x, y) in "
                "pixels of the original image, and clip what leaves it"
            )
    return lines


def load_lines(path: str | PathLike[str]) -> Lines:
    """Read segments from a file that ``numpy.save`` wrote.

    Args:
        path: A ``.npy`` file with an array as :func:`check_lines` takes it.

    Returns:
        The segments in the order of the file.

    Raises:
        ValueError: If the file is missing, is not a ``.npy`` file of numbers, or holds
            something else than segments.
    """
    try:
        with Path(path).open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(f"the line file {path} does not exist: check the path") from error
    except OSError as error:
        raise ValueError(f"the line file {path} cannot be read: {error}") from error
    except Exception as error:
        raise ValueError(
            f"the line file {path} is not a .npy array of numbers ({error}): write it with "
            "numpy.save"
        ) from error
    try:
        return check_lines(array)
    except ValueError as error:
        raise ValueError(f"the line file {path}: {error}") from error


def _numbers(values: LineArray, *, name: str) -> np.ndarray:
    """Convert to float32, refusing what is not a finite number."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        array = (values.double() if values.is_floating_point() else values).numpy()
    else:
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise ValueError(f"{name} need a regular array of numbers: {error}") from error
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} need to be real numbers, found the type {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} need finite numbers, found NaN or infinity: drop these rows")
    return array
