"""The files that a matched pair becomes."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.export.matches_npz import write_matches_npz
from gluestick.geometry.line_ends import ends_reversed
from gluestick.match_images import pair_matches
from gluestick.pair_geometry import PairGeometry
from gluestick.types import Matches, Wireframe
from gluestick.visualization import (
    draw_line_matches,
    draw_point_matches,
    save_picture,
    write_viewer,
)
from gluestick.visualization.overlay import draw_blend, draw_epipolar_lines

FILES = ("points.png", "lines.png", "overlay.png", "viewer.html", "matches.npz", "run.json")
"""The names of all files that a pair may become, in the order in which they appear."""


def write_pair(
    folder: Path,
    names: Sequence[str],
    images: tuple[Tensor, Tensor],
    result: tuple[Wireframe, Wireframe, Matches],
    estimate: PairGeometry,
    *,
    pictures: bool,
    overlay: bool,
    viewer: bool,
) -> list[str]:
    """Write the matches, and pictures and a page if wanted.

    Args:
        folder: Where to.
        names: What the images are called in the pictures.
        images: Both images.
        result: What the matcher gave.
        estimate: The geometry.
        pictures: Whether to write points.png and lines.png.
        overlay: Whether to write overlay.png where there is a geometry that can be trusted.
        viewer: Whether to write viewer.html.

    Returns:
        The names of the files.
    """
    written = ["matches.npz"]
    write_matches_npz(folder / "matches.npz", *result, estimate=estimate)
    if pictures:
        written += ["points.png", "lines.png"]
        _save_pictures(folder, names, images, result, estimate)
    picture = draw_check(names, images, result, estimate) if overlay else None
    if picture is not None:
        written.append("overlay.png")
        save_picture(folder / "overlay.png", picture)
    if viewer:
        written.append("viewer.html")
        _write_viewer(folder / "viewer.html", names, images, result, estimate)
    return written


def draw_check(
    names: Sequence[str],
    images: tuple[Tensor, Tensor],
    result: tuple[Wireframe, Wireframe, Matches],
    estimate: PairGeometry,
) -> np.ndarray | None:
    """Draw what shows whether the geometry of a pair is right.

    Args:
        names: What the images are called.
        images: Both images.
        result: What the matcher gave.
        estimate: The geometry.

    Returns:
        [H, W, 3] uint8, RGB: both images in one where a homography relates them, some points
        with their epipolar lines otherwise; None without a geometry that can be trusted, or
        where no picture can show it.
    """
    if not estimate.trusted:
        return None
    if estimate.geometry == "homography" and estimate.H_0to1 is not None:
        with suppress(ValueError):
            return draw_blend(*images, estimate.H_0to1)
    if estimate.F_0to1 is None:
        return None
    pair = pair_matches(*result)
    return draw_epipolar_lines(
        *images,
        pair.points0,
        pair.points1,
        estimate.F_0to1,
        inliers=estimate.point_inliers,
        names=names,
    )


def drawn_keypoints(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Return the keypoints of both images, the matches between them, and their scores.

    Junctions that are reported apart are left out.
    """
    apart = matches.junction_matches0 is not None
    first0, first1 = (
        int(wireframe.num_junctions[0]) if apart else 0 for wireframe in (wireframe0, wireframe1)
    )
    matches0 = matches.matches0[0, first0:]
    keypoints = wireframe0.keypoints[0, first0:], wireframe1.keypoints[0, first1:]
    matches0 = (matches0 - first1).where(matches0 > -1, -1)
    return (*keypoints, matches0), matches.matching_scores0[0, first0:]


def _save_pictures(
    folder: Path,
    names: Sequence[str],
    images: tuple[Tensor, Tensor],
    result: tuple[Wireframe, Wireframe, Matches],
    estimate: PairGeometry,
) -> None:
    keypoints, _ = drawn_keypoints(*result)
    points = draw_point_matches(*images, *keypoints, inliers=estimate.point_inliers, names=names)
    save_picture(folder / "points.png", points)
    pair = pair_matches(*result)
    lines = draw_line_matches(
        *images,
        *_drawn_lines(*result),
        inliers=estimate.line_inliers,
        reversed_ends=ends_reversed(pair.lines0, pair.lines1, pair.points0, pair.points1),
        names=names,
    )
    save_picture(folder / "lines.png", lines)


def _write_viewer(
    path: Path,
    names: Sequence[str],
    images: tuple[Tensor, Tensor],
    result: tuple[Wireframe, Wireframe, Matches],
    estimate: PairGeometry,
) -> None:
    matches = result[2]
    keypoints, scores = drawn_keypoints(*result)
    many = matches.line_pair_indices
    overlaid = estimate.trusted and estimate.geometry == "homography"
    write_viewer(
        path,
        *images,
        *keypoints,
        scores,
        *_drawn_lines(*result),
        matches.line_matching_scores0[0],
        point_inliers=estimate.point_inliers,
        line_inliers=estimate.line_inliers,
        line_pairs=None if many is None else many[:, 1:],
        line_pair_probabilities=matches.line_pair_probabilities,
        H_0to1=estimate.H_0to1 if overlaid else None,
        title=" – ".join(names),
    )


def _drawn_lines(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches
) -> tuple[Tensor, Tensor, Tensor]:
    lines0, lines1 = (wireframe.detected_lines[0] for wireframe in (wireframe0, wireframe1))
    return lines0, lines1, matches.line_matches0[0]
