"""Absolute poses of query images in a scene whose geometry is known.

The data folder is one of :mod:`gluestick.datasets.posed.localization`: images with depth, or a
COLMAP model. Each query is matched against its reference images one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import mean_of, median_of
from gluestick.benchmarks.tasks.posed.lifting import (
    Lifted,
    lift_lines_by_depth,
    lift_lines_by_observations,
    lift_points_by_depth,
    lift_points_by_observations,
)
from gluestick.benchmarks.tasks.predicted_matches import (
    in_stored_pixels,
    matched_lines,
    matched_points,
    original_threshold,
)
from gluestick.benchmarks.tasks.protocol import ErrorCurve, Figures, Pair, Prediction, Scores
from gluestick.datasets.posed.localization import Scene, SceneImage, list_references, read_scene
from gluestick.datasets.posed.stored_images import exif_turn, load_stored_image
from gluestick.estimation import AbsolutePoseEstimate, estimate_absolute_pose
from gluestick.supervision.geometry_metrics import relative_pose_error
from gluestick.timing import StageTimer

_FEATURES = ("points", "points_lines")
_RECALLS = ((0.05, 5.0), (0.25, 2.0), (0.5, 5.0), (5.0, 10.0))  # metres, degrees


@dataclass(frozen=True, kw_only=True)
class LocalizationConfig:
    """How queries are localized.

    Attributes:
        max_references: Against how many reference images a query is matched at most.
        max_error: The inlier threshold of the estimator, px of the query as the detectors saw it.
        lift_distance: px, how near to a feature of a reference image a known point or line has
            to be observed, where a COLMAP model is the geometry.
        metres_per_unit: The unit of the scene.
    """

    max_references: int = 5
    max_error: float = 5.0
    lift_distance: float = 3.0
    metres_per_unit: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_references", "max_error", "lift_distance", "metres_per_unit"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} needs to be positive, found {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class LocalizationTruth:
    """A query and one of its references.

    Attributes:
        query: The query, whose pose is known.
        reference: The reference image.
        number: The place of the reference among those of the query, from 0 on.
    """

    query: SceneImage
    reference: SceneImage
    number: int


@dataclass(frozen=True, kw_only=True)
class Correspondences:
    """What is matched between a query and the scene.

    Attributes:
        points2d: [S, 2] px in the query, without distortion.
        points3d: [S, 3] in the world.
        lines2d: [T, 2, 2] px.
        lines3d: [T, 2, 3].
    """

    points2d: np.ndarray
    points3d: np.ndarray
    lines2d: np.ndarray
    lines3d: np.ndarray


class LocalizationBenchmark:
    """Absolute poses from points, and from points and lines.

    A pair is a query and one of its reference images; its scores are those of the query's pose
    from this reference and the ones before it. So the pairs of a query are to be scored one
    after the other, and the overall figures are of the last, which knows all references; the
    group ``references`` tells what fewer give.

    A point of the query takes the place in space of its partner in the reference image, by the
    depth there or by the nearest known point that the model observes there, and a line likewise.
    """

    name = "localization"
    scoring_fields = ("max_error", "lift_distance", "metres_per_unit")
    match_kinds = ()
    worst_by = "points_lines/translation_error"
    headline = (
        *(
            f"{features}/{figure}"
            for features in reversed(_FEATURES)
            for figure in (
                "median_translation_error_cm",
                "median_rotation_error",
                *(f"recall@{distance:g}m,{angle:g}deg" for distance, angle in _RECALLS[:2]),
            )
        ),
        "num_points",
        "num_lines",
    )
    error_curves = tuple(
        ErrorCurve(
            name=f"{features}/translation_error",
            title=f"Position error from {title}",
            unit="m",
            limit=0.5,
        )
        for features, title in zip(_FEATURES, ("points", "points and lines"), strict=True)
    )

    def __init__(self, data_dir: Path, config: LocalizationConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or LocalizationConfig()
        self._query = ""
        self._found: dict[int, Correspondences] = {}

    def pairs(self) -> Sequence[Pair]:
        """Return each query with each of its references.

        Raises:
            ValueError: If the folder has none of the layouts, or a file is missing or damaged.
            ImportError: If a COLMAP model is to be read and pycolmap is missing.
        """
        if not self.data_dir.is_dir():
            raise ValueError(f"there is no folder {self.data_dir}")
        scene = read_scene(self.data_dir)
        references = list_references(
            self.data_dir, scene, max_references=self.config.max_references
        )
        return [
            self._pair(scene, query, names, number)
            for query, names in references.items()
            for number in range(len(names))
        ]

    def _pair(self, scene: Scene, query: str, names: Sequence[str], number: int) -> Pair:
        return Pair(
            name=f"{query}|{names[number]}",
            groups={"references": str(number + 1)},
            truth=LocalizationTruth(
                query=scene.images[query], reference=scene.images[names[number]], number=number
            ),
            apart=number + 1 < len(names),
            unit=query,
        )

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return the query and the reference image, turned upright by EXIF."""
        query, reference = (
            load_stored_image(view.image, turn=exif_turn(view.image))
            for view in (pair.truth.query, pair.truth.reference)
        )
        return query, reference

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Localize the query by this and the earlier references."""
        truth: LocalizationTruth = pair.truth
        if truth.query.name != self._query:
            self._query, self._found = truth.query.name, {}
        turns = exif_turn(truth.query.image), exif_turn(truth.reference.image)
        stored = in_stored_pixels(prediction, turns=turns)
        self._found[truth.number] = self._correspondences(truth, stored)
        known = sorted(number for number in self._found if number <= truth.number)
        found = _joined([self._found[number] for number in known])
        scores: Scores = {
            "num_points": float(len(found.points2d)),
            "num_lines": float(len(found.lines2d)),
        }
        timer = StageTimer()
        max_error = original_threshold(prediction, self.config.max_error, sides="0")
        for features in _FEATURES:
            with_lines = features == "points_lines"
            with timer.stage("estimation"):
                estimate = self._estimate(truth, found, max_error, with_lines=with_lines)
            distance, angle = self._errors(truth, estimate)
            scores[f"{features}/translation_error"] = distance
            scores[f"{features}/rotation_error"] = angle
        return scores | {"seconds_estimation": timer.seconds["estimation"]}

    def _correspondences(self, truth: LocalizationTruth, stored: Prediction) -> Correspondences:
        (points0, points1), (lines0, lines1) = matched_points(stored), matched_lines(stored)
        points, lines = self._lift(truth.reference, points1, lines1)
        return Correspondences(
            points2d=truth.query.undistort(points0[points.known]),
            points3d=points.positions[points.known],
            lines2d=truth.query.undistort(lines0[lines.known]),
            lines3d=lines.positions[lines.known],
        )

    def _lift(
        self, reference: SceneImage, points: np.ndarray, lines: np.ndarray
    ) -> tuple[Lifted, Lifted]:
        if reference.read_depth is not None:
            view = reference.read_depth(), reference.camera, reference.cam_from_world
            return lift_points_by_depth(points, *view), lift_lines_by_depth(lines, *view)
        if reference.observe is None:
            raise ValueError(f"{reference.name} has neither depth nor observations")
        seen, distance = reference.observe(), self.config.lift_distance
        return (
            lift_points_by_observations(points, seen, max_distance=distance),
            lift_lines_by_observations(lines, seen, max_distance=distance),
        )

    def _estimate(
        self,
        truth: LocalizationTruth,
        found: Correspondences,
        max_error: float,
        *,
        with_lines: bool,
    ) -> AbsolutePoseEstimate | None:
        number = len(found.lines2d) if with_lines else 0
        return estimate_absolute_pose(
            found.points2d,
            found.points3d,
            truth.query.camera,
            found.lines2d[:number],
            found.lines3d[:number],
            max_error=max_error,
        )

    def _errors(
        self, truth: LocalizationTruth, estimate: AbsolutePoseEstimate | None
    ) -> tuple[float, float]:
        """Return the errors of position in m and of rotation in degrees, inf without a pose."""
        if estimate is None:
            return float("inf"), float("inf")
        found, true = estimate.cam_from_world, truth.query.cam_from_world
        offset = found.R.T @ found.t - true.R.T @ true.t
        angle = relative_pose_error(found.R, np.zeros(3), true.R, np.zeros(3))[0]
        return float(np.linalg.norm(offset)) * self.config.metres_per_unit, float(angle)

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return median errors and the shares of queries within limits of both errors."""
        figures: Figures = {}
        for features in _FEATURES:
            distance, angle = (f"{features}/{kind}_error" for kind in ("translation", "rotation"))
            figures[f"{features}/median_translation_error_cm"] = 100 * median_of(distance, scores)
            figures[f"{features}/median_rotation_error"] = median_of(angle, scores)
            for limit, most in _RECALLS:
                name = f"{features}/recall@{limit:g}m,{most:g}deg"
                right = sum(
                    bool(pair[distance] <= limit and pair[angle] <= most) for pair in scores
                )
                figures[name] = right / len(scores) if scores else float("nan")
        return figures | {name: mean_of(name, scores) for name in ("num_points", "num_lines")}


def _joined(parts: Sequence[Correspondences]) -> Correspondences:
    return Correspondences(
        points2d=np.concatenate([part.points2d for part in parts]),
        points3d=np.concatenate([part.points3d for part in parts]),
        lines2d=np.concatenate([part.lines2d for part in parts]),
        lines3d=np.concatenate([part.lines3d for part in parts]),
    )
