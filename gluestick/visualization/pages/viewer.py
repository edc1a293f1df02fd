"""A page with both images in which one can look through the matches."""

import html
import os
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from gluestick.visualization.colors import neighbor_colors, position_colors
from gluestick.visualization.inputs import (
    to_coordinates,
    to_homography,
    to_index_pairs,
    to_inliers,
    to_pairs,
    to_rgb,
    to_scores,
)
from gluestick.visualization.pages.page_parts import (
    jpeg_data_uri,
    resource,
    script_json,
    write_page,
)

_MAX_IMAGE_SIDE = 2048  # px; larger images are embedded smaller, coordinates stay as they are
_JPEG_QUALITY = 88


def write_viewer(
    path: str | os.PathLike[str],
    image0: np.ndarray | Tensor,
    image1: np.ndarray | Tensor,
    keypoints0: Any,
    keypoints1: Any,
    matches0: Any,
    matching_scores0: Any,
    lines0: Any,
    lines1: Any,
    line_matches0: Any,
    line_matching_scores0: Any,
    *,
    point_inliers: Any = None,
    line_inliers: Any = None,
    line_pairs: Any = None,
    line_pair_probabilities: Any = None,
    H_0to1: np.ndarray | None = None,
    title: str = "Matches",
) -> None:
    """Write one HTML page that needs nothing else, neither other files nor a network.

    In it, a person hovers or taps a match to see both its ends, its score and its coordinates,
    switches points, lines, unmatched features and outliers on and off, sets the least score,
    zooms and moves both images together, and steps through the matches by keys. Where a
    homography is given, image 1 can also be laid over image 0, to swipe or to blink between
    them. Coordinates are stored to 0.01 px and scores to 0.0001; images longer than 2048 px are
    embedded smaller.

    Args:
        path: The file.
        image0: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        image1: The other image, of any size.
        keypoints0: [N0, 2] px of image 0, an array or a tensor like everything below.
        keypoints1: [N1, 2] px of image 1.
        matches0: [N0] integers, the index in ``keypoints1`` or -1.
        matching_scores0: [N0], in [0, 1].
        lines0: [L0, 2, 2] px of image 0.
        lines1: [L1, 2, 2] px of image 1.
        line_matches0: [L0] integers, the index in ``lines1`` or -1.
        line_matching_scores0: [L0], in [0, 1].
        point_inliers: [S] bool, one for each entry of ``matches0`` above -1, in that order;
            ``None`` where nothing is known.
        line_inliers: [T] bool, the same for ``line_matches0``.
        line_pairs: [R, 2] integers, indices in ``lines0`` and ``lines1`` of lines that may be
            parts of one line, many to many, to which the page can switch; ``None`` for no switch.
        line_pair_probabilities: [R], in [0, 1].
        H_0to1: [3, 3], the homography from image 0 to image 1 by which image 1 is laid over
            image 0; ``None`` where there is none that can be trusted.
        title: What stands at the top, any text.

    Raises:
        ValueError: If a shape, a type or an index does not fit, or ``path`` is a folder.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    pictures = [to_rgb(image0), to_rgb(image1)]
    sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
    data: dict[str, Any] = {
        "images": sizes,
        "points": _point_data(
            (keypoints0, keypoints1), matches0, matching_scores0, point_inliers, sizes[0]
        ),
        "lines": _line_data(
            (lines0, lines1),
            line_matches0,
            line_matching_scores0,
            line_inliers,
            None if line_pairs is None else (line_pairs, line_pair_probabilities),
        ),
    }
    overlay, outline = _overlay(pictures[1], H_0to1, sizes[0])
    data["overlay"] = outline
    parts = {
        "OVERLAY": "data:," if overlay is None else _picture(overlay),
        "TITLE": html.escape(title),
        "IMAGE0": _picture(pictures[0]),
        "IMAGE1": _picture(pictures[1]),
        "DATA": script_json(data),
        "SCRIPT": resource("viewer.js"),
    }
    write_page(path, "viewer.html", parts)


def _overlay(
    picture1: np.ndarray, H_0to1: np.ndarray | None, size0: tuple[int, int]
) -> tuple[np.ndarray | None, list[list[float]]]:
    """Warp image 1 into the frame of image 0, and outline what it covers there, px of image 0."""
    if H_0to1 is None:
        return None, []
    shrink = min(1.0, _MAX_IMAGE_SIDE / max(size0))
    width, height = (max(1, round(length * shrink)) for length in size0)
    from_overlay = np.diag([size0[0] / width, size0[1] / height, 1.0])
    from_overlay[:2, 2] = (np.diag(from_overlay)[:2] - 1) / 2
    H_to_1 = to_homography("H_0to1", H_0to1) @ from_overlay
    # OpenCV samples behind the horizon as well, where the image is seen mirrored.
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    sign = np.sign(np.linalg.det(H_to_1))
    front = sign * (H_to_1[2, 0] * x + H_to_1[2, 1] * y + H_to_1[2, 2]) > 0
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(picture1, H_to_1, (width, height), flags=flags)
    whole = np.full(picture1.shape[:2], 255, np.uint8)
    covered = cv2.warpPerspective(whole, H_to_1, (width, height), flags=flags)
    covered[~front] = 0
    contours, _ = cv2.findContours(
        (covered > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if not contours:
        return None, []
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 1.0, True)[:, 0]
    corners = largest @ from_overlay[:2, :2].T + from_overlay[:2, 2]
    return warped, np.round(corners, 1).tolist()


def _point_data(
    keypoints: tuple[Any, Any],
    matches0: Any,
    matching_scores0: Any,
    inliers: Any,
    image_size0: tuple[int, int],
) -> dict[str, Any]:
    points = [to_coordinates(f"keypoints{side}", values) for side, values in enumerate(keypoints)]
    count0, count1 = map(len, points)
    pairs = to_pairs("matches0", matches0, count0=count0, count1=count1)
    scores = to_scores("matching_scores0", matching_scores0, count=count0)
    known = to_inliers("point_inliers", inliers, count=len(pairs))
    colors = position_colors(points[0][pairs[:, 0]], image_size0)
    return {
        "coordinates": [np.round(values, 2).tolist() for values in points],
        "matches": _match_rows(pairs, scores[pairs[:, 0]], known, colors),
    }


def _line_data(
    lines: tuple[Any, Any],
    line_matches0: Any,
    line_matching_scores0: Any,
    inliers: Any,
    many: tuple[Any, Any] | None,
) -> dict[str, Any]:
    segments = [
        to_coordinates(f"lines{side}", values, lines=True) for side, values in enumerate(lines)
    ]
    count0, count1 = map(len, segments)
    pairs = to_pairs("line_matches0", line_matches0, count0=count0, count1=count1)
    scores = to_scores("line_matching_scores0", line_matching_scores0, count=count0)
    known = to_inliers("line_inliers", inliers, count=len(pairs))
    middles = segments[0].mean(axis=1)
    data = {
        "coordinates": [np.round(values, 2).tolist() for values in segments],
        "matches": _match_rows(
            pairs, scores[pairs[:, 0]], known, neighbor_colors(middles[pairs[:, 0]])
        ),
    }
    if many is not None:
        indices = to_index_pairs("line_pairs", many[0], counts=(count0, count1))
        likely = to_scores("line_pair_probabilities", many[1], count=len(indices))
        colors = neighbor_colors(middles)[indices[:, 0]]
        data["pairs"] = _match_rows(indices, likely, None, colors)
    return data


def _match_rows(
    pairs: np.ndarray, scores: np.ndarray, inliers: np.ndarray | None, colors: np.ndarray
) -> list[list[Any]]:
    """Return [index in image 0, index in image 1, score, inlier or None, colour] per match."""
    known = [None] * len(pairs) if inliers is None else inliers.tolist()
    rounded = np.round(scores, 4).tolist()
    names = [f"#{bytes(color).hex()}" for color in colors]
    return [
        [*pair, score, inlier, name]
        for pair, score, inlier, name in zip(pairs.tolist(), rounded, known, names, strict=True)
    ]


def _picture(picture: np.ndarray) -> str:
    return jpeg_data_uri(picture, quality=_JPEG_QUALITY, longest_side=_MAX_IMAGE_SIDE)
