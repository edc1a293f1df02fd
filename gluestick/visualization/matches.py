"""Pictures of the features of one image, and of the matches of a pair."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from gluestick.storage.atomic import atomic_path
from gluestick.visualization import keypoints as points_style
from gluestick.visualization import lines as lines_style
from gluestick.visualization.canvas import Canvas, Glyph
from gluestick.visualization.colors import neighbor_colors, position_colors
from gluestick.visualization.inputs import to_coordinates, to_inliers, to_pairs, to_rgb
from gluestick.visualization.selection import spread_out


def draw_point_matches(
    image0: np.ndarray | Tensor,
    image1: np.ndarray | Tensor,
    keypoints0: Any,
    keypoints1: Any,
    matches0: Any,
    *,
    inliers: Any = None,
    names: Sequence[str] | None = None,
    width: int = 1600,
) -> np.ndarray:
    """Draw the matched keypoints of a pair side by side.

    A match has one colour, given by its place in image 0. A few matches, spread over the image,
    are connected. Outliers are thin crosses, unmatched keypoints small grey dots. Images that
    are both much wider than high lie one below the other.

    Args:
        image0: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        image1: The other image, of any size.
        keypoints0: [N0, 2] px of image 0, an array or a tensor like everything below.
        keypoints1: [N1, 2] px of image 1.
        matches0: [N0] integers, the index in ``keypoints1`` or -1.
        inliers: [S] bool, one for each entry of ``matches0`` above -1, in that order;
            ``None`` where nothing is known.
        names: What is written into the corner of each image, such as the names of the files.
        width: The picture's width in px, at least 200.

    Returns:
        [H, W, 3] uint8, RGB, with a legend at the bottom.

    Raises:
        ValueError: If a shape, a type or an index does not fit.
    """
    points = [
        to_coordinates(f"keypoints{side}", values)
        for side, values in enumerate((keypoints0, keypoints1))
    ]
    pairs = to_pairs("matches0", matches0, count0=len(points[0]), count1=len(points[1]))
    mask = to_inliers("inliers", inliers, count=len(pairs))
    outlier = np.zeros(len(pairs), dtype=bool) if mask is None else ~mask
    canvas = Canvas([image0, image1], width=width)
    matched = [points[side][pairs[:, side]] for side in (0, 1)]
    colors = position_colors(matched[0], canvas.placements[0].image_size)
    with canvas.layer(0.4):
        for side, place in enumerate(canvas.placements):
            unmatched = np.delete(points[side], pairs[:, side], axis=0)
            points_style.draw_faint_keypoints(canvas, place, unmatched)
    chosen = spread_out(matched[0], ~outlier, canvas.placements[0].image_size)
    _connect(canvas, [values[chosen] for values in matched], colors[chosen], opacity=0.45)
    for place, values in zip(canvas.placements, matched, strict=True):
        points_style.draw_keypoints(canvas, place, values, colors, crosses=outlier)
    if names is not None:
        canvas.add_names(names)
    glyphs = (
        points_style.keypoint_glyph,
        points_style.cross_glyph,
        points_style.faint_glyph,
    )
    _add_legend(
        canvas,
        "point",
        glyphs,
        counts=[len(values) for values in points],
        inliers=mask,
        num_matches=len(pairs),
    )
    return canvas.picture


def draw_line_matches(
    image0: np.ndarray | Tensor,
    image1: np.ndarray | Tensor,
    lines0: Any,
    lines1: Any,
    line_matches0: Any,
    *,
    inliers: Any = None,
    reversed_ends: Any = None,
    names: Sequence[str] | None = None,
    width: int = 1600,
) -> np.ndarray:
    """Draw the matched line segments of a pair side by side.

    A match has one colour, different from those of its neighbours. Endpoints are marked, the
    first by a larger dot in the colour of the match, so that one sees which ends correspond.
    Outliers are thin and dashed, unmatched segments thin and grey.

    Args:
        image0: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        image1: The other image, of any size.
        lines0: [L0, 2, 2] px of image 0, an array or a tensor like everything below.
        lines1: [L1, 2, 2] px of image 1.
        line_matches0: [L0] integers, the index in ``lines1`` or -1.
        inliers: [S] bool, one for each entry of ``line_matches0`` above -1, in that order;
            ``None`` where nothing is known.
        reversed_ends: [S] bool, for each match in that order whether the first end in image 0 is
            the second in image 1; ``None`` if the order of the ends is to be taken as it is. See
            :func:`gluestick.geometry.line_ends.ends_reversed`.
        names: What is written into the corner of each image, such as the names of the files.
        width: The picture's width in px, at least 200.

    Returns:
        [H, W, 3] uint8, RGB, with a legend at the bottom.

    Raises:
        ValueError: If a shape, a type or an index does not fit.
    """
    lines = [
        to_coordinates(f"lines{side}", values, lines=True)
        for side, values in enumerate((lines0, lines1))
    ]
    pairs = to_pairs("line_matches0", line_matches0, count0=len(lines[0]), count1=len(lines[1]))
    mask = to_inliers("inliers", inliers, count=len(pairs))
    outlier = np.zeros(len(pairs), dtype=bool) if mask is None else ~mask
    canvas = Canvas([image0, image1], width=width)
    matched = [lines[side][pairs[:, side]] for side in (0, 1)]
    swapped = to_inliers("reversed_ends", reversed_ends, count=len(pairs))
    if swapped is not None:
        matched[1] = np.where(swapped[:, None, None], matched[1][:, ::-1], matched[1])
    colors = neighbor_colors(matched[0].mean(axis=1))
    with canvas.layer(0.8):
        for side, place in enumerate(canvas.placements):
            unmatched = np.delete(lines[side], pairs[:, side], axis=0)
            lines_style.draw_faint_lines(canvas, place, unmatched)
    for place, values in zip(canvas.placements, matched, strict=True):
        lines_style.draw_lines(canvas, place, values, colors, dashed=outlier)
    if names is not None:
        canvas.add_names(names)
    glyphs = (lines_style.line_glyph, lines_style.dashed_glyph, lines_style.faint_glyph)
    _add_legend(
        canvas,
        "line",
        glyphs,
        counts=[len(values) for values in lines],
        inliers=mask,
        num_matches=len(pairs),
    )
    return canvas.picture


def draw_features(
    image: np.ndarray | Tensor, keypoints: Any, lines: Any, *, width: int = 1200
) -> np.ndarray:
    """Draw the keypoints and line segments of one image.

    Args:
        image: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        keypoints: [N, 2] px, an array or a tensor.
        lines: [L, 2, 2] px, an array or a tensor.
        width: The picture's width in px, at least 200.

    Returns:
        [H, W, 3] uint8, RGB, with a legend at the bottom.

    Raises:
        ValueError: If a shape or a type does not fit.
    """
    points = to_coordinates("keypoints", keypoints)
    segments = to_coordinates("lines", lines, lines=True)
    canvas = Canvas([image], width=width)
    (place,) = canvas.placements
    nothing = np.zeros(len(segments), dtype=bool)
    lines_style.draw_lines(
        canvas, place, segments, neighbor_colors(segments.mean(axis=1)), dashed=nothing
    )
    points_style.draw_small_keypoints(canvas, place, points)
    canvas.add_legend(
        f"{len(points)} keypoints, {len(segments)} line segments",
        [
            (points_style.small_glyph, "keypoint"),
            (lines_style.line_glyph, "line segment with its endpoints"),
        ],
    )
    return canvas.picture


def save_picture(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Write a picture as PNG, whatever the file's name.

    Args:
        path: The file.
        picture: [H, W, 3] uint8, RGB.

    Raises:
        ValueError: If the picture cannot be used, or ``path`` is a folder.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    image = Image.fromarray(to_rgb(picture))
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _connect(
    canvas: Canvas, ends: Sequence[np.ndarray], colors: np.ndarray, *, opacity: float
) -> None:
    place0, place1 = canvas.placements
    starts, stops = place0.to_canvas(ends[0]), place1.to_canvas(ends[1])
    with canvas.layer(opacity):
        for start, stop, (red, green, blue) in zip(starts, stops, colors, strict=True):
            color = (int(red), int(green), int(blue))
            canvas.line(canvas.picture, start, stop, color, width=1)


def _add_legend(
    canvas: Canvas,
    kind: str,
    glyphs: tuple[Glyph, Glyph, Glyph],
    *,
    counts: Sequence[int],
    num_matches: int,
    inliers: np.ndarray | None,
) -> None:
    matched, outlier, faint = glyphs
    title = f"{num_matches} {kind} match{'' if num_matches == 1 else 'es'}"
    entries: list[tuple[Glyph, str]] = []
    if inliers is None:
        entries.append((matched, "matched"))
    else:
        num_inliers = int(np.count_nonzero(inliers))
        title += f", {num_inliers} inlier{'' if num_inliers == 1 else 's'}"
        entries += [(matched, "inlier"), (outlier, "outlier")]
    left, right = (count - num_matches for count in counts)
    entries.append((faint, f"unmatched ({left} left, {right} right)"))
    canvas.add_legend(title, entries)
