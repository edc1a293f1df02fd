"""Two images in, everything about the pair out, in one call."""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gluestick.features.image_batch import OneOrMoreLines
from gluestick.geometry.line_ends import ends_reversed
from gluestick.images.load import ImageLike
from gluestick.pair_geometry import GeometryChoice, PairGeometry, PairMatches, estimate_geometry
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL
from gluestick.types import Matches, Wireframe
from gluestick.types.cameras import CameraLike
from gluestick.viewpoint.view_modes import View
from gluestick.wireframe.thresholds import original_max_error


@dataclass(frozen=True, kw_only=True)
class PairResult(PairGeometry):
    """The matched points and lines of two images, their geometry, and whether it is chance.

    Everything is a numpy array in px of the images as they are, rows correspond. What
    :class:`gluestick.pair_geometry.PairGeometry` holds comes with it.

    Attributes:
        points0: [S, 2] px, the matched keypoints of image 0.
        points1: [S, 2] px, those of image 1.
        scores: [S] in [0, 1].
        lines0: [T, 2, 2] px, the matched line segments of image 0.
        lines1: [T, 2, 2] px, those of image 1; their first ends correspond to the first ends in
            image 0, also where their second ends lie elsewhere along the line.
        line_scores: [T] in [0, 1].
        line_pairs: [R, 2] int64, lines that are more likely than not parts of one line, many to
            many, as indices of ``wireframe0.detected_lines[0]`` and
            ``wireframe1.detected_lines[0]``; ``matches.line_pairs()`` gives others. None for
            models that do not judge pairs of lines by themselves.
        line_pair_probabilities: [R] in [0, 1], or None.
        image_size0: (width, height) px.
        image_size1: (width, height) px.
        wireframe0: All features of image 0.
        wireframe1: All features of image 1, and the view in which it was seen.
        matches: The matches between all of them, and what the network said of every pair.
    """

    points0: np.ndarray
    points1: np.ndarray
    scores: np.ndarray
    lines0: np.ndarray
    lines1: np.ndarray
    line_scores: np.ndarray
    line_pairs: np.ndarray | None
    line_pair_probabilities: np.ndarray | None
    image_size0: tuple[int, int]
    image_size1: tuple[int, int]
    wireframe0: Wireframe
    wireframe1: Wireframe
    matches: Matches


def match(
    image0: ImageLike,
    image1: ImageLike,
    *,
    model: str | PointLineMatcher = DEFAULT_MODEL,
    geometry: GeometryChoice = "auto",
    camera0: CameraLike | None = None,
    camera1: CameraLike | None = None,
    mask0: ImageLike | None = None,
    mask1: ImageLike | None = None,
    lines0: OneOrMoreLines | None = None,
    lines1: OneOrMoreLines | None = None,
    max_error: float | None = None,
    max_num_keypoints: int | None = None,
    max_num_lines: int | None = None,
    view: View | None = None,
    device: torch.device | str = "auto",
) -> PairResult:
    """Match two images, and estimate what relates them.

    The model is loaded once and kept for further calls.

    Args:
        image0: The first image, in any form that :func:`gluestick.images.load.as_image` takes: a
            path, a Pillow image, an array or a tensor.
        image1: The second image.
        model: The name of a model, or a matcher that is loaded already; the last four options
            are then its own and cannot be given.
        geometry: What is estimated; see :func:`gluestick.pair_geometry.estimate_geometry`.
        camera0: The calibration of image 0, a Camera or K [3, 3] px; with both, the essential
            matrix and the relative pose are estimated too.
        camera1: The calibration of image 1.
        mask0: Image 0 is matched only where this is not 0: [H, W], or the path of one.
        mask1: The same for image 1.
        lines0: Segments of your own in image 0, [L, 2, 2] or [L, 4] px.
        lines1: The same for image 1.
        max_error: The largest error of an inlier, px; None for what
            :func:`gluestick.pair_geometry.estimate_geometry` says.
        max_num_keypoints: How many keypoints are kept per image.
        max_num_lines: How many line segments are kept per image.
        view: In which view image 1 is seen; see :meth:`PointLineMatcher.from_pretrained`.
        device: Where the model runs; "auto" for the first GPU where there is one.

    Returns:
        The matches, the model, its inliers and its verdict.

    Raises:
        ValueError: If an image or an option is none, or several images are given at a time.
    """
    for name, image in (("image0", image0), ("image1", image1)):
        if isinstance(image, list | tuple) or getattr(image, "ndim", 3) > 3:
            raise ValueError(
                f"match needs one {name}, found several: give batches to a PointLineMatcher"
            )
    options = {
        "max_num_keypoints": max_num_keypoints,
        "max_num_lines": max_num_lines,
        "view": view,
    }
    if isinstance(model, str):
        matcher = _loaded(model, device=str(device), **options)
    elif any(value is not None for value in options.values()) or device != "auto":
        raise ValueError(f"{', '.join(options)} and device need a model by its name")
    else:
        matcher = model
    result = matcher(image0, image1, mask0=mask0, mask1=mask1, lines0=lines0, lines1=lines1)
    pair = pair_matches(*result)
    estimate = estimate_geometry(
        pair, geometry=geometry, camera0=camera0, camera1=camera1, max_error=max_error
    )
    matches = result[2]
    has_pairs = matches.line_pair_indices is not None
    pairs, probabilities = map(_array, matches.line_pairs()) if has_pairs else (None, None)
    reversed_ends = ends_reversed(pair.lines0, pair.lines1, pair.points0, pair.points1)
    return PairResult(
        **{field.name: getattr(estimate, field.name) for field in fields(PairGeometry)},
        points0=pair.points0,
        points1=pair.points1,
        scores=_array(matches.matching_scores0[matches.matches0 > -1]),
        lines0=pair.lines0,
        lines1=np.where(reversed_ends[:, None, None], pair.lines1[:, ::-1], pair.lines1),
        line_scores=_array(matches.line_matching_scores0[matches.line_matches0 > -1]),
        line_pairs=pairs,
        line_pair_probabilities=probabilities,
        image_size0=pair.image_size0,
        image_size1=pair.image_size1,
        wireframe0=result[0],
        wireframe1=result[1],
        matches=matches,
    )


def pair_matches(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, *, index: int | None = None
) -> PairMatches:
    """Return the matched keypoints and lines of one pair as arrays.

    Args:
        wireframe0: The wireframe of image 0, as given to the matcher.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.
        index: Which pair of the batch; may be left out for a batch of one.

    Raises:
        ValueError: If the batch has several pairs and ``index`` is left out.
    """
    points = matches.matched_keypoints(wireframe0, wireframe1, index=index)
    lines = matches.matched_lines(wireframe0, wireframe1, index=index)
    sizes = [wireframe.image_size[index or 0].tolist() for wireframe in (wireframe0, wireframe1)]
    return PairMatches(
        points0=_array(points[0]),
        points1=_array(points[1]),
        lines0=_array(lines[0]),
        lines1=_array(lines[1]),
        image_size0=(sizes[0][0], sizes[0][1]),
        image_size1=(sizes[1][0], sizes[1][1]),
        pixel=original_max_error(wireframe0, wireframe1, 1.0, index=index or 0),
    )


@lru_cache(maxsize=1)
def _loaded(
    model: str,
    *,
    device: str,
    max_num_keypoints: int | None,
    max_num_lines: int | None,
    view: View | None,
) -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(
        model,
        device=device,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        view=view,
    )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
