"""What is found in a pair, in numbers, in words and as ``run.json``."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import gluestick
from gluestick.config import MatchConfig
from gluestick.geometry.affine import compose, inverse, stretch
from gluestick.pair_geometry import PairGeometry
from gluestick.storage.atomic import atomic_path
from gluestick.types import Matches, ViewFrame, Wireframe

_PACKAGES = ("torch", "numpy", "opencv-contrib-python-headless", "poselib", "kornia")

_MODEL_NAMES = {"homography": "homography", "fundamental": "epipolar geometry"}


@dataclass(frozen=True, kw_only=True)
class Count:
    """How much of one kind was found.

    Attributes:
        kind: Such as "lines".
        found: How many in each image.
        matched: How many were matched.
        inliers: How many matches agree with the geometry; None where they took no part.
    """

    kind: str
    found: tuple[int, int]
    matched: int
    inliers: int | None


def count_kinds(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, estimate: PairGeometry
) -> list[Count]:
    """Count keypoints, lines and junctions."""
    sides = wireframe0, wireframe1
    junctions = [int(wireframe.num_junctions[0]) for wireframe in sides]
    nodes = [int(wireframe.keypoint_mask.sum()) for wireframe in sides]
    lines = [int(wireframe.line_mask.sum()) for wireframe in sides]
    apart = matches.junction_matches0 is not None
    points = [count - fewer for count, fewer in zip(nodes, junctions, strict=True)]

    def count(kind: str, found: list[int], matched: Any, inliers: np.ndarray | None) -> Count:
        agreeing = None if inliers is None else int(inliers.sum())
        number = int((matched > -1).sum())
        return Count(kind=kind, found=(found[0], found[1]), matched=number, inliers=agreeing)

    counts = [
        count(
            "keypoints" if apart else "keypoints and junctions",
            points if apart else nodes,
            matches.matches0,
            estimate.point_inliers,
        ),
        count("lines", lines, matches.line_matches0, estimate.line_inliers),
    ]
    if apart:
        counts.append(count("junctions", junctions, matches.junction_matches0, None))
    if matches.line_pair_indices is not None:
        counts.append(count("line pairs", lines, matches.line_pair_indices[:, 0], None))
    return counts


def verdict_sentence(estimate: PairGeometry, asked: str) -> str:
    """Say in plain words what was found, and whether it can be trusted."""
    if asked == "none":
        return "No geometry was asked for."
    if estimate.geometry == "none":
        wanted = "geometry" if asked == "auto" else asked
        return f"No {wanted} found: the images may show nothing in common."
    name = _MODEL_NAMES[estimate.geometry]
    number = f"10^{estimate.log10_false_alarms:.0f} false alarms expected"
    if estimate.trusted:
        return f"Trusted: {name} ({number})."
    return (
        f"Nothing trustworthy was found: the {name} can be chance ({number}). "
        "The images may show nothing in common."
    )


def run_record(
    images: tuple[Path, Path],
    wireframes: tuple[Wireframe, Wireframe],
    counts: list[Count],
    estimate: PairGeometry,
    *,
    settings: MatchConfig,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that a person or a program asks about a run, as JSON takes it.

    Args:
        images: The files.
        wireframes: Their features.
        counts: What was found.
        estimate: The geometry.
        settings: All settings.
        run: Seconds, threads, device and files.
    """
    sides = [
        {"path": str(path), "image_size": wireframe.image_size[0].tolist()}
        for path, wireframe in zip(images, wireframes, strict=True)
    ]
    views = [wireframe.views[0] for wireframe in wireframes]
    pose = estimate.pose_0to1
    false_alarms = estimate.log10_false_alarms
    return {
        "images": sides,
        **_change_of_view(*views),
        "view": _listed_view(views[1]),
        "view0": _listed_view(views[0]),
        "counts": {
            count.kind: {
                "found": count.found,
                "matched": count.matched,
                "inliers": count.inliers,
            }
            for count in counts
        },
        "geometry": estimate.geometry,
        "trusted": bool(estimate.trusted),
        "log10_false_alarms": false_alarms if math.isfinite(false_alarms) else None,
        "verdict": verdict_sentence(estimate, settings.geometry),
        "H_0to1": _listed(estimate.H_0to1),
        "F_0to1": _listed(estimate.F_0to1),
        "E_0to1": _listed(estimate.E_0to1),
        "pose_0to1": None if pose is None else {"R": _listed(pose.R), "t": _listed(pose.t)},
        **run,
        "settings": asdict(settings),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of what computes."""
    found = {"gluestick": gluestick.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def as_json(record: Mapping[str, Any]) -> str:
    """Return a record as JSON."""
    return json.dumps(record, indent=2, ensure_ascii=False, default=str)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(as_json(record) + "\n", encoding="utf-8", errors="replace")


def _listed_view(view: ViewFrame | None) -> dict[str, Any] | None:
    if view is None:
        return None
    listed = {"affine": _listed(view.central_affine), "size": view.size}
    return listed if view.is_affine else listed | {"homography": _listed(view.matrix)}


def _change_of_view(view0: ViewFrame | None, view1: ViewFrame | None) -> dict[str, float]:
    """Return how image 1 was seen against image 0.

    Its turn, degrees from the x towards the y axis; how many times larger; and how many times
    longer along one direction than across it; where views are homographies, at their centres.
    """
    maps = [np.eye(2, 3) if view is None else view.central_affine for view in (view0, view1)]
    change = compose(maps[1], inverse(maps[0]))
    (a, b, _), (c, d, _) = change
    zoom, tilt = stretch(change)
    return {"turn": math.degrees(math.atan2(c - b, a + d)), "zoom": zoom, "tilt": tilt}


def _listed(matrix: np.ndarray | None) -> list | None:
    return None if matrix is None else np.asarray(matrix).tolist()
