"""``gluestick match``: two images in, matches, pictures and a table out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from gluestick.config import MatchConfig
    from gluestick.timing import StageTimer
    from gluestick.types import Matches, Wireframe


@dataclass(frozen=True, kw_only=True)
class _Geometry:
    """What was estimated: the homography if it was one, and the inliers of both kinds."""

    H_0to1: np.ndarray | None = None
    point_inliers: np.ndarray | None = None
    line_inliers: np.ndarray | None = None


@one_line_errors
def match(
    image0: Annotated[Path, typer.Argument(help="The first image.")],
    image1: Annotated[Path, typer.Argument(help="The second image.")],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/match"),
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    line_detector: options.LineDetector = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    min_length: options.MinLength = None,
    detection_threshold: options.DetectionThreshold = None,
    nms_radius: options.NmsRadius = None,
    resize: options.Resize = None,
    tiles: options.Tiles = None,
    mask0: Annotated[Path | None, typer.Option(help="Match only where it is not 0.")] = None,
    mask1: Annotated[Path | None, typer.Option(help="The same for the second image.")] = None,
    lines0: Annotated[Path | None, typer.Option(help="Your own lines, .npy [L,2,2] px.")] = None,
    lines1: Annotated[Path | None, typer.Option(help="The same for the second image.")] = None,
    geometry: Annotated[str | None, typer.Option(help="homography, fundamental or none.")] = None,
    max_error: Annotated[float | None, typer.Option(help="Inlier threshold, px.")] = None,
    rotation: options.Rotation = None,
    viewer: Annotated[bool, typer.Option(help="Also write an interactive page.")] = False,
    config: options.Config = None,
    device: options.Device = "auto",
) -> None:
    """Match two images by keypoints and line segments.

    Writes matches.npz, points.png and lines.png to the output folder, and viewer.html if asked.

    Example: gluestick match a.jpg b.jpg --output output/match --viewer
    """
    from gluestick.cli.devices import select_device
    from gluestick.features.lines.given import load_lines
    from gluestick.images.load import load_image, load_mask
    from gluestick.timing import StageTimer

    features = options.feature_overrides(
        line_detector=line_detector,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        min_length=min_length,
        detection_threshold=detection_threshold,
        nms_radius=nms_radius,
        resize=resize,
        tiles=tiles,
    )
    settings = options.match_config(
        config,
        overrides,
        features=features,
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        rotation=rotation,
        geometry=geometry,
        max_error=max_error,
    )
    images = load_image(image0), load_image(image1)
    given: dict[str, Any] = {
        "mask0": load_mask(mask0) if mask0 else None,
        "mask1": load_mask(mask1) if mask1 else None,
        "lines0": load_lines(lines0) if lines0 else None,
        "lines1": load_lines(lines1) if lines1 else None,
    }
    matcher = options.load_matcher(settings).to(select_device(device))
    timer = StageTimer()
    with Console(stderr=True).status("Matching"):
        result = matcher(*images, **given, timer=timer)
        with timer.stage("estimation"):
            estimate = _estimate(*result, settings=settings)
    written = _write(output, images, *result, estimate=estimate, viewer=viewer)
    _print_table(*result, estimate=estimate, settings=settings, timer=timer)
    typer.echo("Written: " + ", ".join(str(path) for path in written))


def _estimate(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, *, settings: MatchConfig
) -> _Geometry:
    from gluestick.estimation import estimate_fundamental, estimate_homography

    points = matches.matched_keypoints(wireframe0, wireframe1)
    lines = matches.matched_lines(wireframe0, wireframe1)
    if settings.geometry == "homography":
        homography = estimate_homography(*points, *lines, max_error=settings.max_error)
        if homography is not None:
            return _Geometry(
                H_0to1=homography.H_0to1,
                point_inliers=homography.point_inliers,
                line_inliers=homography.line_inliers,
            )
    if settings.geometry == "fundamental":
        fundamental = estimate_fundamental(*points, max_error=settings.max_error)
        if fundamental is not None:
            return _Geometry(point_inliers=fundamental.point_inliers)
    return _Geometry()


def _write(
    folder: Path,
    images: tuple[Tensor, Tensor],
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    estimate: _Geometry,
    viewer: bool,
) -> list[Path]:
    from gluestick.export.matches_npz import write_matches_npz
    from gluestick.visualization import (
        draw_line_matches,
        draw_point_matches,
        save_picture,
        write_viewer,
    )

    paths = [folder / "matches.npz", folder / "points.png", folder / "lines.png"]
    write_matches_npz(
        paths[0],
        wireframe0,
        wireframe1,
        matches,
        H_0to1=estimate.H_0to1,
        point_inliers=estimate.point_inliers,
        line_inliers=estimate.line_inliers,
    )
    keypoints, scores = _drawn_keypoints(wireframe0, wireframe1, matches)
    lines = wireframe0.detected_lines[0], wireframe1.detected_lines[0], matches.line_matches0[0]
    save_picture(paths[1], draw_point_matches(*images, *keypoints, inliers=estimate.point_inliers))
    save_picture(paths[2], draw_line_matches(*images, *lines, inliers=estimate.line_inliers))
    if viewer:
        paths.append(folder / "viewer.html")
        write_viewer(
            paths[-1],
            *images,
            *keypoints,
            scores,
            *lines,
            matches.line_matching_scores0[0],
            point_inliers=estimate.point_inliers,
            line_inliers=estimate.line_inliers,
        )
    return paths


def _drawn_keypoints(
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


def _print_table(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    estimate: _Geometry,
    settings: MatchConfig,
    timer: StageTimer,
) -> None:
    junctions = [int(wireframe.num_junctions[0]) for wireframe in (wireframe0, wireframe1)]
    nodes = [int(wireframe.keypoint_mask.sum()) for wireframe in (wireframe0, wireframe1)]
    lines = [int(wireframe.line_mask.sum()) for wireframe in (wireframe0, wireframe1)]
    rows = [("lines", lines, matches.line_matches0, estimate.line_inliers)]
    if matches.junction_matches0 is None:
        rows.insert(0, ("keypoints and junctions", nodes, matches.matches0, estimate.point_inliers))
    else:
        keypoints = [count - fewer for count, fewer in zip(nodes, junctions, strict=True)]
        rows.insert(0, ("keypoints", keypoints, matches.matches0, estimate.point_inliers))
        rows.append(("junctions", junctions, matches.junction_matches0, None))
    table = Table("", "image 0", "image 1", "matched", f"inliers ({settings.geometry})")
    for kind, counts, matched, inliers in rows:
        num_inliers = "-" if inliers is None else str(int(inliers.sum()))
        table.add_row(kind, *map(str, counts), str(int((matched > -1).sum())), num_inliers)
    console = Console()
    console.print(table)
    if estimate.point_inliers is None and settings.geometry != "none":
        console.print(f"No {settings.geometry} found.")
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in timer.seconds.items())
    console.print(f"Seconds: {stages}")
