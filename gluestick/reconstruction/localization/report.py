"""``report.html``: a table of all queries, and a picture of each with what agrees in it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.stored_frame import upright_frame
from gluestick.images.load import load_oriented_image
from gluestick.reconstruction.localization.queries import Query
from gluestick.reconstruction.localization.query_pose import Correspondences, QueryPose
from gluestick.reconstruction.localization.records import project
from gluestick.reconstruction.localization.references import MatchedQuery
from gluestick.reconstruction.localization.scene_map import SceneMap
from gluestick.reconstruction.outcome import Record
from gluestick.types import Pose
from gluestick.visualization.canvas import Canvas
from gluestick.visualization.pages.page_parts import jpeg_data_uri, write_page

_MOST_PICTURES = 60
_WIDTH = 640  # px
_QUALITY = 70
_AGREES, _LINE, _MODEL, _WRONG = (90, 230, 120), (255, 190, 60), (90, 200, 255), (230, 90, 90)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is matched in a query and whether it agrees with the pose.

    Attributes:
        points2d: [S, 2] px as stored.
        points: [S] int64, rows of the map's points.
        point_inliers: [S] bool.
        lines2d: [T, 2, 2] px.
        lines: [T] int64, rows of the map's lines.
        line_inliers: [T] bool.
    """

    points2d: np.ndarray
    points: np.ndarray
    point_inliers: np.ndarray
    lines2d: np.ndarray
    lines: np.ndarray
    line_inliers: np.ndarray

    @classmethod
    def of(cls, matched: MatchedQuery, found: Correspondences, pose: QueryPose) -> "Seen":
        """Put together what is seen in a query."""
        estimate = pose.estimate
        point_inliers = np.zeros(len(found.points), dtype=bool)
        line_inliers = np.zeros(len(found.lines), dtype=bool)
        if estimate is not None:
            point_inliers[:] = estimate.point_inliers
            line_inliers[: len(estimate.line_inliers)] = estimate.line_inliers
        return cls(
            points2d=matched.features["keypoints"][found.points[:, 0]],
            points=found.points[:, 1],
            point_inliers=point_inliers,
            lines2d=matched.features["lines"][found.lines[:, 0]],
            lines=found.lines[:, 1],
            line_inliers=line_inliers,
        )


def write_report(
    path: Path,
    scene: SceneMap,
    queries: Sequence[Query],
    results: Sequence[tuple[Record, Seen | None]],
) -> None:
    """Write the page, with pictures of the first queries that could be read.

    Args:
        path: The file.
        scene: The map.
        queries: The queries.
        results: The record of each, and what is seen in it.

    Raises:
        OSError: If it cannot be written.
    """
    pictures: list[str] = []
    for query, (record, seen) in zip(queries, results, strict=True):
        if seen is not None and len(pictures) < _MOST_PICTURES:
            pictures.append(_section(query.name, record, _picture(query, scene, record, seen)))
    localized = sum(record["localized"] for record, _ in results)
    more = f" Pictures of the first {_MOST_PICTURES}." if len(results) > _MOST_PICTURES else ""
    parts = {
        "SUMMARY": f"{localized} of {len(results)} queries are localized.{more}",
        "ROWS": "\n".join(_row(record) for record, _ in results),
        "PICTURES": "\n".join(pictures),
    }
    write_page(path, "localization.html", parts)


def _row(record: Record) -> str:
    if record.get("camera") is None:
        cells = ["", "", "", "", ""]
    else:
        camera = record["camera"]
        cells = [
            f"{record['num_point_inliers']} of {record['num_points']}",
            f"{record['num_line_inliers']} of {record['num_lines']}",
            "" if record["median_error"] is None else f"{record['median_error']:.2f}",
            f"{camera['params'][0]:.1f} ({record['camera_from']})",
            f"{record['log10_false_alarms']:.0f}",
        ]
    verdict = "localized" if record["localized"] else f"not localized: {record['reason']}"
    return (
        "<tr>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in (record["name"], verdict, *cells))
        + "</tr>"
    )


def _section(name: str, record: Record, picture: str | None) -> str:
    name = html.escape(name)
    references = ", ".join(
        f"{html.escape(own['name'])} ({own['num_point_inliers']} of {own['num_points']})"
        for own in record["references"]
    )
    image = "" if picture is None else f'<img alt="{name}" src="{picture}">'
    return f"<h3>{name}</h3>{image}<p>Points that agree, by photograph: {references or 'none'}</p>"


def _picture(query: Query, scene: SceneMap, record: Record, seen: Seen) -> str | None:
    """Return the query with what was matched and where the model says it is."""
    try:
        image, orientation = load_oriented_image(query.path)
    except (ValueError, OSError):
        return None
    height, width = image.shape[1:]
    stored = (height, width) if orientation > 4 else (width, height)
    frame = upright_frame(stored, orientation=orientation)
    canvas = Canvas([image], width=_WIDTH)
    (place,) = canvas.placements
    on = canvas.part(place)

    def local(positions: np.ndarray) -> np.ndarray:
        upright = positions if frame is None else frame.from_original(positions)
        return place.to_local(upright)

    for start, end in local(_model_lines(scene, record, seen)):
        canvas.line(on, start, end, _MODEL, width=5)
    for (start, end), agrees in zip(local(seen.lines2d), seen.line_inliers, strict=True):
        canvas.line(on, start, end, _LINE if agrees else _WRONG, width=2)
    for point, agrees in zip(local(seen.points2d), seen.point_inliers, strict=True):
        canvas.dot(on, point, _AGREES if agrees else _WRONG, radius=4 if agrees else 2)
    return jpeg_data_uri(canvas.picture, quality=_QUALITY)


def _model_lines(scene: SceneMap, record: Record, seen: Seen) -> np.ndarray:
    """Return where the lines that agree are by the model, [N, 2, 2] px."""
    if record["camera"] is None:
        return np.zeros((0, 2, 2))
    lines = scene.lines3d[seen.lines[seen.line_inliers]]
    projected = project(_camera(record), _pose(record), lines.reshape(-1, 3)).reshape(-1, 2, 2)
    return projected[np.isfinite(projected).all(axis=(1, 2))]


def _camera(record: Record) -> Any:
    pycolmap = import_pycolmap("localization")
    return pycolmap.Camera(**record["camera"])


def _pose(record: Record) -> Pose:
    pycolmap = import_pycolmap("localization")
    w, x, y, z = record["cam_from_world"]["qvec"]
    R = np.array(pycolmap.Rotation3d(np.array([x, y, z, w])).matrix())
    return Pose(R=R, t=np.array(record["cam_from_world"]["tvec"]))
