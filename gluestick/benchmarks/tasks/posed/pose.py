"""Relative poses of pairs of images with known cameras.

The data folder holds a list of pairs in one of the forms of
:mod:`gluestick.datasets.posed.posed_pairs` and the images, in the folder itself or in ``images/``:
ScanNet-1500, MegaDepth-1500 and the like. A folder of such folders is measured as a whole. The
lists know no distortion; :mod:`gluestick.datasets.posed.formats.lenses` says what may lie beside
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import mean_of, median_of
from gluestick.benchmarks.tasks.posed.opencv_pose import normalized, opencv_relative_pose
from gluestick.benchmarks.tasks.predicted_matches import (
    in_stored_pixels,
    matched_points,
    original_threshold,
)
from gluestick.benchmarks.tasks.protocol import ErrorCurve, Figures, Pair, Prediction, Scores
from gluestick.datasets.posed.formats.lenses import read_lenses, with_lens
from gluestick.datasets.posed.posed_pairs import (
    PosedPair,
    find_image,
    find_pairs_file,
    read_posed_pairs,
)
from gluestick.datasets.posed.stored_images import load_stored_image, upright_turn
from gluestick.estimation import estimate_relative_pose
from gluestick.geometry.epipolar import essential_from_pose, symmetric_epipolar_distance
from gluestick.supervision.geometry_metrics import error_auc, precision_at, relative_pose_error
from gluestick.timing import StageTimer
from gluestick.types import Camera, Pose

_AUC_THRESHOLDS = (5, 10, 20)  # degrees
_EPIPOLAR_THRESHOLD = 5e-4
_PRECISION = "epipolar_precision@5e-4"
_ESTIMATORS = {"poselib": "PoseLib", "opencv": "OpenCV"}


@dataclass(frozen=True, kw_only=True)
class PoseBenchmarkConfig:
    """How poses are estimated.

    Attributes:
        max_error: PoseLib's inlier threshold, px of the images as the detectors saw them.
        opencv_max_error: OpenCV's inlier threshold, in the same px.
        corner_origin: Whether the principal points of the list are measured from the corner of
            the image, as COLMAP does and the list of MegaDepth-1500 has it, and not from the
            centre of the top-left pixel.
    """

    max_error: float = 1.0
    opencv_max_error: float = 0.5
    corner_origin: bool = False

    def __post_init__(self) -> None:
        for name in ("max_error", "opencv_max_error"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} needs to be positive, found {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class PoseTruth:
    """A pair of a list and where its images are.

    Attributes:
        images: The files of image 0 and image 1.
        pair: The cameras.
    """

    images: tuple[Path, Path]
    pair: PosedPair

    def turns(self) -> tuple[int, int]:
        """Return how far both images are turned before they are matched, degrees clockwise."""
        quarters = (self.pair.quarters0, self.pair.quarters1)
        turn0, turn1 = (
            upright_turn(path, quarters=number)
            for path, number in zip(self.images, quarters, strict=True)
        )
        return turn0, turn1


class PoseBenchmark:
    """Relative poses with PoseLib and with OpenCV, and how well matches fit the true one.

    The error of a pose is the larger of the angles by which rotation and direction of
    translation differ. A match is right if the mean of its distances from both epipolar lines
    is below 5e-4 in coordinates that are divided by the focal length.

    Images are turned upright before they are matched, by what the list says, or by EXIF where
    it says nothing; the list's cameras are for the images as they are stored.
    """

    name = "pose"
    scoring_fields = ("max_error", "opencv_max_error", "corner_origin")
    match_kinds = ()
    worst_by = "poselib/pose_error"
    headline = (
        *(f"poselib/auc@{threshold}" for threshold in _AUC_THRESHOLDS),
        *(f"opencv/auc@{threshold}" for threshold in _AUC_THRESHOLDS),
        _PRECISION,
        "num_matches",
        "num_line_matches",
    )
    error_curves = tuple(
        ErrorCurve(
            name=f"{estimator}/pose_error",
            title=f"Error of relative poses with {title}",
            unit="degrees",
            limit=20.0,
        )
        for estimator, title in _ESTIMATORS.items()
    )

    def __init__(self, data_dir: Path, config: PoseBenchmarkConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or PoseBenchmarkConfig()

    def pairs(self) -> Sequence[Pair]:
        """Return the pairs of the list, or of the lists of all folders in the folder.

        Raises:
            ValueError: If there is no list, a line of it is wrong, or an image is missing.
        """
        if not self.data_dir.is_dir():
            raise ValueError(f"there is no folder {self.data_dir}")
        path = find_pairs_file(self.data_dir)
        if path is not None:
            return _pairs(self.data_dir, path, scene=None)
        folders = [folder for folder in sorted(self.data_dir.iterdir()) if folder.is_dir()]
        lists = {folder: find_pairs_file(folder) for folder in folders}
        pairs = [
            pair
            for folder, found in lists.items()
            if found is not None
            for pair in _pairs(folder, found, scene=folder.name)
        ]
        if not pairs:
            raise ValueError(
                f"{self.data_dir} needs a list of pairs such as pairs_with_gt.txt or "
                "pairs_calibrated.txt, in itself or in the folders in it; found none"
            )
        return pairs

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return both images, turned upright."""
        truth: PoseTruth = pair.truth
        image0, image1 = (
            load_stored_image(path, turn=turn)
            for path, turn in zip(truth.images, truth.turns(), strict=True)
        )
        return image0, image1

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Estimate the pose twice, and compare it and the matches with the truth."""
        truth: PoseTruth = pair.truth
        stored = in_stored_pixels(prediction, turns=truth.turns())
        points0, points1 = (points.astype(np.float64) for points in matched_points(stored))
        camera0, camera1 = self._camera(truth.pair.camera0), self._camera(truth.pair.camera1)
        distances = symmetric_epipolar_distance(
            normalized(points0, camera0),
            normalized(points1, camera1),
            essential_from_pose(truth.pair.pose_0to1),
        )
        max_error, opencv_max_error = (
            original_threshold(prediction, threshold)
            for threshold in (self.config.max_error, self.config.opencv_max_error)
        )
        timer = StageTimer()
        with timer.stage("estimation"):
            estimate = estimate_relative_pose(
                points0, points1, camera0, camera1, max_error=max_error
            )
        by_opencv = opencv_relative_pose(
            points0, points1, camera0, camera1, max_error=opencv_max_error
        )
        by_poselib = None if estimate is None else estimate.pose_0to1
        return {
            "poselib/pose_error": _pose_error(by_poselib, truth.pair.pose_0to1),
            "opencv/pose_error": _pose_error(by_opencv, truth.pair.pose_0to1),
            _PRECISION: precision_at(distances, _EPIPOLAR_THRESHOLD),
            "num_matches": float(len(points0)),
            "num_line_matches": float((prediction["line_matches0"] > -1).sum()),
            "points/right": distances < _EPIPOLAR_THRESHOLD,
            "seconds_estimation": timer.seconds["estimation"],
        }

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return areas under the curves of pose errors, precision and numbers of matches."""
        figures: Figures = {}
        for estimator in _ESTIMATORS:
            errors = np.array([pair[f"{estimator}/pose_error"] for pair in scores])
            for threshold, area in zip(
                _AUC_THRESHOLDS, error_auc(errors, _AUC_THRESHOLDS), strict=True
            ):
                figures[f"{estimator}/auc@{threshold}"] = area
            name = f"{estimator}/pose_error"
            figures[f"{estimator}/median_pose_error"] = median_of(name, scores)
        names = (_PRECISION, "num_matches", "num_line_matches")
        return figures | {name: mean_of(name, scores) for name in names}

    def _camera(self, camera: Camera) -> Camera:
        """Return a camera with (0, 0) at the centre of the top-left pixel."""
        shift = 0.5 if self.config.corner_origin else 0.0
        K = camera.K - np.array([[0, 0, shift], [0, 0, shift], [0, 0, 0]])
        return replace(camera, K=K)


def _pairs(folder: Path, path: Path, *, scene: str | None) -> list[Pair]:
    pairs: dict[str, Pair] = {}
    lenses = read_lenses(folder)
    for pair in read_posed_pairs(path):
        name = "/".join([*([] if scene is None else [scene]), f"{pair.name0}|{pair.name1}"])
        if name in pairs:
            raise ValueError(f"{path} lists {pair.name0} and {pair.name1} twice: remove one line")
        images = (find_image(folder, pair.name0), find_image(folder, pair.name1))
        groups = {} if scene is None else {"scene": scene}
        pair = replace(
            pair,
            camera0=with_lens(pair.camera0, lenses.get(pair.name0)),
            camera1=with_lens(pair.camera1, lenses.get(pair.name1)),
        )
        pairs[name] = Pair(name=name, groups=groups, truth=PoseTruth(images=images, pair=pair))
    return list(pairs.values())


def _pose_error(estimate: Pose | None, truth: Pose) -> float:
    """Return the larger angle, degrees; inf without an estimate."""
    if estimate is None:
        return float("inf")
    return float(max(relative_pose_error(estimate.R, estimate.t, truth.R, truth.t)))
