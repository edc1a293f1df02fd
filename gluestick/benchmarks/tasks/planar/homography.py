"""Homographies between images of planes, in the layout of HPatches.

The data folder is one of :mod:`gluestick.datasets.hpatches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import mean_of
from gluestick.benchmarks.tasks.planar.corner_errors import (
    CORNER_ERROR_CURVES,
    auc_names,
    homography_figures,
    homography_scores,
)
from gluestick.benchmarks.tasks.planar.planar_scores import (
    RIGHT_POINT_ERROR,
    line_figures,
    planar_line_scores,
    planar_point_errors,
)
from gluestick.benchmarks.tasks.protocol import Figures, Pair, Prediction, Scores
from gluestick.datasets.hpatches import ScenePair, list_scene_pairs
from gluestick.images import ResizeConfig, load_image, resize_image
from gluestick.supervision.geometry_metrics import precision_at

EXTREME_PREFIX = "v_evd_"
"""Scenes of the Extreme View Dataset (Mishkin et al., CVIU 2015), which are reported apart."""

_PRECISION_THRESHOLDS = (1, 3)  # px


@dataclass(frozen=True, kw_only=True)
class HomographyBenchmarkConfig:
    """How images are prepared and homographies estimated.

    Attributes:
        short_side: The length that the shorter side of each image gets, px, as is usual for
            HPatches; all errors count in these pixels. None keeps the images as they are.
        max_error: The inlier threshold of the estimator, px of the images as the detectors saw
            them.
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
        *auc_names("points_lines"),
        *auc_names("points"),
        "lines/auc@5px",
        *(f"points/precision@{threshold}px" for threshold in _PRECISION_THRESHOLDS),
        "points/num_matches",
        *(f"lines/{rate}" for rate in ("precision", "recall", "ap", "num_matches")),
    )
    error_curves = CORNER_ERROR_CURVES

    def __init__(self, data_dir: Path, config: HomographyBenchmarkConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or HomographyBenchmarkConfig()

    def pairs(self) -> Sequence[Pair]:
        """Return image 1 with each other image of each scene.

        Raises:
            ValueError: If the folder has no scene, or a homography cannot be read.
        """
        return [_pair(pair) for pair in list_scene_pairs(self.data_dir)]

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return image 1 of the scene and the other image, resized."""
        (image0, _), (image1, _) = self._load(pair)
        return image0, image1

    def _load(self, pair: Pair) -> list[tuple[Tensor, Tensor]]:
        """Return both images, resized, and their scales (x, y)."""
        config = ResizeConfig(size=self.config.short_side, side="short", upscale=True)
        stored: ScenePair = pair.truth
        return [resize_image(load_image(path), config=config) for path in stored.files()]

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Estimate homographies and compare them and the matches with the truth."""
        H_0to1 = self.resized_truth(pair, prediction)
        errors = planar_point_errors(prediction, H_0to1)
        scores: Scores = {
            f"points/precision@{threshold}px": precision_at(errors, threshold)
            for threshold in _PRECISION_THRESHOLDS
        }
        scores["points/num_matches"] = float(len(errors))
        scores["points/right"] = errors < RIGHT_POINT_ERROR
        estimates = homography_scores(prediction, H_0to1, max_error=self.config.max_error)
        return scores | planar_line_scores(prediction, H_0to1) | estimates

    def resized_truth(self, pair: Pair, prediction: Prediction) -> np.ndarray:
        """Return the homography between the images as they were matched."""
        scales = []
        for side, (image, scale) in enumerate(self._load(pair)):
            size = (image.shape[2], image.shape[1])
            if tuple(prediction[f"image_size{side}"].tolist()) != size:
                raise ValueError(
                    f"{pair.truth.files()[side]} has changed since it was matched: remove the "
                    "predictions and run again"
                )
            x, y = scale.double().tolist()
            scales.append(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]]))
        return scales[1] @ pair.truth.H_0to1 @ np.linalg.inv(scales[0])

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return areas under the curve of corner errors, precisions and numbers of matches."""
        figures = homography_figures(scores)
        for threshold in _PRECISION_THRESHOLDS:
            name = f"points/precision@{threshold}px"
            figures[name] = mean_of(name, scores)
        figures["points/num_matches"] = mean_of("points/num_matches", scores)
        return figures | line_figures(scores)


def _pair(pair: ScenePair) -> Pair:
    extreme = pair.scene.name.startswith(EXTREME_PREFIX)
    groups = {"change": "extreme viewpoint" if extreme else pair.change}
    return Pair(name=pair.name, groups=groups, truth=pair, apart=extreme)
