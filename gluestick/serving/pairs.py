"""From the files of pairs to what the server answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from gluestick.images.load import load_image
from gluestick.match_images import pair_matches
from gluestick.matching.protocols import Matcher
from gluestick.pair_geometry import estimate_geometry
from gluestick.types import Matches, Wireframe

PairFiles = tuple[Path, Path]
Answer = dict[str, Any] | ValueError


def match_files(matcher: Matcher, pairs: Sequence[PairFiles], *, max_pixels: int) -> list[Answer]:
    """Match pairs of image files in one batch.

    Args:
        matcher: The model.
        pairs: The files.
        max_pixels: The largest width times height of an image.

    Returns:
        For each pair what is answered, or what is wrong with its images.
    """
    loaded = [_load(pair, max_pixels=max_pixels) for pair in pairs]
    good = [images for images in loaded if not isinstance(images, ValueError)]
    if not good:
        return [images for images in loaded if isinstance(images, ValueError)]
    result = matcher([first for first, _ in good], [second for _, second in good])
    answers = iter([_answer(*result, index=index) for index in range(len(good))])
    return [images if isinstance(images, ValueError) else next(answers) for images in loaded]


def _load(pair: PairFiles, *, max_pixels: int) -> tuple[Tensor, Tensor] | ValueError:
    try:
        return (
            load_image(pair[0], max_pixels=max_pixels),
            load_image(pair[1], max_pixels=max_pixels),
        )
    except ValueError as error:
        return ValueError(str(error).replace(f"{pair[0].parent}/", ""))


def _answer(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, *, index: int
) -> dict[str, Any]:
    pair = pair_matches(wireframe0, wireframe1, matches, index=index)
    geometry = estimate_geometry(pair)
    points = matches.matches0[index] > -1
    lines = matches.line_matches0[index] > -1
    H, F = geometry.H_0to1, geometry.F_0to1
    return {
        "image_size0": pair.image_size0,
        "image_size1": pair.image_size1,
        "points0": pair.points0.tolist(),
        "points1": pair.points1.tolist(),
        "scores": matches.matching_scores0[index][points].tolist(),
        "lines0": pair.lines0.tolist(),
        "lines1": pair.lines1.tolist(),
        "line_scores": matches.line_matching_scores0[index][lines].tolist(),
        "geometry": {
            "model": geometry.geometry,
            "trusted": geometry.trusted,
            "H_0to1": None if H is None else H.tolist(),
            "F_0to1": None if F is None else F.tolist(),
            "num_point_inliers": _count(geometry.point_inliers),
            "num_line_inliers": _count(geometry.line_inliers),
        },
    }


def _count(inliers: Any) -> int:
    return 0 if inliers is None else int(inliers.sum())
