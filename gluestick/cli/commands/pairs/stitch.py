"""``gluestick stitch``: photographs in, a panorama out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

    from gluestick.config import MatchConfig
    from gluestick.matching.protocols import Matcher
    from gluestick.visualization.layout import Link

ALL_PAIRS_UP_TO = 8
"""Of so many photographs all pairs are matched; of more, each with the two that follow."""

_AHEAD = 2


@one_line_errors
def stitch(
    images: Annotated[
        list[Path], typer.Argument(help="Two or more photographs, neighbours next to each other.")
    ],
    output: Annotated[Path, typer.Option(help="The picture to write, PNG.")] = Path(
        "output/panorama.png"
    ),
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    resize: options.Resize = None,
    tiles: options.Tiles = None,
    memory: options.Memory = None,
    view: options.View = None,
    rotation: options.Rotation = None,
    max_error: Annotated[
        float | None,
        typer.Option(help="Inlier threshold, px.", show_default="3 as detectors see them"),
    ] = None,
    config: options.Config = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Draw the panorama of two or more photographs by the homographies between them.

    They need to be taken from one place, or to show something flat. Photographs that no trusted
    homography connects with the others are left out.

    Example: gluestick stitch left.jpg middle.jpg right.jpg --output panorama.png
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.outputs import check_output
    from gluestick.cli.resources import use_threads
    from gluestick.images.load import load_image
    from gluestick.visualization import save_picture
    from gluestick.visualization.layout import arrange_photographs
    from gluestick.visualization.panorama import draw_panorama

    if len(images) < 2:
        raise ValueError(f"a panorama needs at least two photographs, found {len(images)}")
    settings = options.match_config(
        config,
        None,
        features=options.feature_overrides(
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
            resize=resize,
            tiles=tiles,
        ),
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        view=view,
        rotation=rotation,
        max_error=max_error,
    )
    check_output(output.parent, (output.name,))
    chosen = select_device(device)
    use_threads(threads)
    settings = options.within_memory(settings, images, memory=memory, device=chosen)
    photographs = [load_image(path) for path in images]
    matcher = options.load_matcher(settings).to(chosen)
    links = _links(matcher, photographs, images, settings)
    layout = arrange_photographs(len(images), links)
    left_out = [
        str(path) for path, H in zip(images, layout.H_to_reference, strict=True) if H is None
    ]
    if len(images) - len(left_out) < 2:
        raise ValueError(
            "no two of the photographs are connected by a trusted homography: they need to "
            "overlap, and to be taken from one place or show something flat"
        )
    with Console(stderr=True).status("Drawing"):
        save_picture(output, draw_panorama(photographs, layout))
    if left_out:
        typer.echo(f"Left out, for no trusted homography leads to them: {', '.join(left_out)}")
    typer.echo(f"Written: {output}")


def pairs_to_match(count: int) -> list[tuple[int, int]]:
    """Return which of so many photographs are matched with each other."""
    if count <= ALL_PAIRS_UP_TO:
        return list(combinations(range(count), 2))
    return [
        (first, second)
        for first in range(count)
        for second in range(first + 1, min(first + _AHEAD, count - 1) + 1)
    ]


def _links(
    matcher: Matcher,
    photographs: Sequence[Tensor],
    paths: Sequence[Path],
    settings: MatchConfig,
) -> dict[tuple[int, int], Link]:
    """Match pairs, and return the trusted homographies between them."""
    from gluestick.match_images import pair_matches
    from gluestick.pair_geometry import estimate_geometry
    from gluestick.visualization.layout import Link

    links = {}
    pairs = pairs_to_match(len(photographs))
    for first, second in progress(pairs, "Matching"):
        result = matcher(photographs[first], photographs[second])
        estimate = estimate_geometry(
            pair_matches(*result),
            geometry="homography",
            max_error=settings.max_error,
            homography_solver=settings.homography_solver,
        )
        if estimate.H_0to1 is None or estimate.point_inliers is None:
            continue
        points = int(estimate.point_inliers.sum())
        lines = 0 if estimate.line_inliers is None else int(estimate.line_inliers.sum())
        said = "linked" if estimate.trusted else "not trusted"
        typer.echo(
            f"{paths[first].name} - {paths[second].name}: {points} points, {lines} lines, {said}"
        )
        if estimate.trusted:
            links[first, second] = Link(estimate.H_0to1, points + lines)
    return links
