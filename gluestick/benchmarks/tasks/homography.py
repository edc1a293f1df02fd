"""Pairs of images of planes with known homographies, in the layout of HPatches.

A folder per scene, ``v_*`` where the viewpoint changes and ``i_*`` where the light does, with
images ``1.*`` to ``6.*`` and files ``H_1_k`` with the homography from image 1 to image k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import mean_of, median_of
from gluestick.benchmarks.tasks.planar import (
    RIGHT_POINT_ERROR,
    line_figures,
    matched_lines,
    matched_points,
    planar_line_scores,
    planar_point_errors,
)
from gluestick.benchmarks.tasks.protocol import ErrorCurve, Figures, Pair, Prediction, Scores
from gluestick.datasets.photographs import SUFFIXES
from gluestick.estimation import estimate_homography
from gluestick.geometry.homography import homography_corner_error
from gluestick.images import ResizeConfig, load_image, resize_image
from gluestick.supervision.geometry_metrics import error_auc, precision_at
from gluestick.timing import StageTimer

EXTREME_PREFIX = "v_evd_"
"""Scenes of the Extreme View Dataset (Mishkin et al., CVIU 2015), which are reported apart."""

_CHANGES = {"v_": "viewpoint", "i_": "illumination"}
_AUC_THRESHOLDS = (1, 3, 5)  # px
_PRECISION_THRESHOLDS = (1, 3)  # px


@dataclass(frozen=True, kw_only=True)
class HomographyBenchmarkConfig:
    """How images are prepared and homographies estimated.

    Attributes:
        short_side: The length that the shorter side of each image gets, px, as is usual for
            HPatches; all errors count in these pixels. None keeps the images as they are.
        max_error: The inlier threshold of the estimator, px.
    """

    short_side: int | None = 480
    max_error: float = 3.0


class HomographyBenchmark:
    """Homographies from points, from lines, and from both; precision of points and lines.

    The error of a homography is the mean distance of the four image corners.
    """

    name = "homography"
    scoring_fields = ("max_error",)
    match_kinds = ("lines",)
    worst_by = "points_lines/corner_error"
    headline = (
        *(f"points_lines/auc@{threshold}px" for threshold in _AUC_THRESHOLDS),
        *(f"points/auc@{threshold}px" for threshold in _AUC_THRESHOLDS),
        "lines/auc@5px",
        *(f"points/precision@{threshold}px" for threshold in _PRECISION_THRESHOLDS),
        "points/num_matches",
        *(f"lines/{rate}" for rate in ("precision", "recall", "ap", "num_matches")),
    )
    error_curves = tuple(
        ErrorCurve(
            name=f"{features}/corner_error",
            title=f"Corner error of homographies from {title}",
            unit="px",
            limit=10.0,
        )
        for features, title in (
            ("points", "points"),
            ("lines", "lines"),
            ("points_lines", "points and lines"),
        )
    )

    def __init__(self, data_dir: Path, config: HomographyBenchmarkConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or HomographyBenchmarkConfig()

    def pairs(self) -> Sequence[Pair]:
        """Return image 1 with each other image of each scene.

        Raises:
            ValueError: If the folder has no scene, or a homography cannot be read.
        """
        if not self.data_dir.is_dir():
            raise ValueError(f"there is no folder {self.data_dir}")
        scenes = [path for path in sorted(self.data_dir.iterdir()) if path.name[:2] in _CHANGES]
        files = [(scene, path) for scene in scenes for path in sorted(scene.glob("H_1_*"))]
        if not files:
            raise ValueError(
                f"{self.data_dir} needs scenes v_* or i_* with images 1.*, 2.*, ... and "
                "homographies H_1_2, ..., found none"
            )
        return [self._pair(scene, path) for scene, path in files]

    def _pair(self, scene: Path, path: Path) -> Pair:
        try:
            H_0to1 = np.loadtxt(path, dtype=np.float64).reshape(3, 3)
        except ValueError as error:
            raise ValueError(f"{path} needs 3 x 3 numbers: {error}") from error
        extreme = scene.name.startswith(EXTREME_PREFIX)
        return Pair(
            name=f"{scene.name}/{path.name[4:]}",
            groups={"change": "extreme viewpoint" if extreme else _CHANGES[scene.name[:2]]},
            truth=H_0to1,
            apart=extreme,
        )

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return image 1 of the scene and the other image, resized."""
        return self._load(pair, "1")[0], self._load(pair, pair.name.split("/")[1])[0]

    def _load(self, pair: Pair, stem: str) -> tuple[Tensor, Tensor]:
        """Return a resized image and its scale (x, y)."""
        scene = self.data_dir / pair.name.split("/")[0]
        files = [path for path in sorted(scene.glob(f"{stem}.*")) if _is_image(path)]
        if not files:
            raise ValueError(f"{scene} needs an image {stem}.*, found none")
        config = ResizeConfig(size=self.config.short_side, side="short", upscale=True)
        return resize_image(load_image(files[0]), config=config)

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Estimate homographies and compare them and the matches with the truth."""
        H_0to1 = self._resized_truth(pair, prediction)
        errors = planar_point_errors(prediction, H_0to1)
        scores: Scores = {
            f"points/precision@{threshold}px": precision_at(errors, threshold)
            for threshold in _PRECISION_THRESHOLDS
        }
        scores["points/num_matches"] = float(len(errors))
        scores["points/right"] = errors < RIGHT_POINT_ERROR
        return scores | planar_line_scores(prediction, H_0to1) | self._estimates(prediction, H_0to1)

    def _resized_truth(self, pair: Pair, prediction: Prediction) -> np.ndarray:
        """Return the homography between the images as they were matched."""
        scales = []
        for side, stem in enumerate(("1", pair.name.split("/")[1])):
            image, scale = self._load(pair, stem)
            size = (image.shape[2], image.shape[1])
            if tuple(prediction[f"image_size{side}"].tolist()) != size:
                raise ValueError(
                    f"image {stem} of {pair.name} has changed since it was matched: remove the "
                    "predictions and run again"
                )
            x, y = scale.double().tolist()
            scales.append(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]]))
        return scales[1] @ pair.truth @ np.linalg.inv(scales[0])

    def _estimates(self, prediction: Prediction, H_0to1: np.ndarray) -> Scores:
        points, lines = matched_points(prediction), matched_lines(prediction)
        no_points, no_lines = np.zeros((0, 2)), np.zeros((0, 2, 2))
        inputs = {
            "points": (*points, no_lines, no_lines),
            "lines": (no_points, no_points, *lines),
            "points_lines": (*points, *lines),
        }
        width, height = prediction["image_size0"].tolist()
        scores: Scores = {}
        for features, arrays in inputs.items():
            timer = StageTimer()
            with timer.stage("estimation"):
                estimate = estimate_homography(*arrays, max_error=self.config.max_error)
            scores[f"{features}/corner_error"] = (
                float("inf")
                if estimate is None
                else float(
                    homography_corner_error(estimate.H_0to1, H_0to1, image_size=(width, height))
                )
            )
        return scores | {"seconds_estimation": timer.seconds["estimation"]}

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return areas under the curve of corner errors, precisions and numbers of matches."""
        figures: Figures = {}
        for features in ("points", "lines", "points_lines"):
            errors = np.array([pair[f"{features}/corner_error"] for pair in scores])
            for threshold, area in zip(
                _AUC_THRESHOLDS, error_auc(errors, _AUC_THRESHOLDS), strict=True
            ):
                figures[f"{features}/auc@{threshold}px"] = area
            figures[f"{features}/median_corner_error"] = median_of(
                f"{features}/corner_error", scores
            )
        for threshold in _PRECISION_THRESHOLDS:
            name = f"points/precision@{threshold}px"
            figures[name] = mean_of(name, scores)
        figures["points/num_matches"] = mean_of("points/num_matches", scores)
        return figures | line_figures(scores)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, ".ppm", ".pgm")
