"""A homography or epipolar geometry: which of them explains a pair of images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from gluestick.estimation.chance.backgrounds import parallax_chances
from gluestick.estimation.chance.false_alarms import independence_weights, judge, with_more_models
from gluestick.estimation.fundamental import (
    FundamentalEstimate,
    FundamentalSolver,
    estimate_fundamental,
)
from gluestick.estimation.homography import (
    HomographyEstimate,
    HomographySolver,
    estimate_homography,
)
from gluestick.estimation.inputs import ArrayLike, as_arrays
from gluestick.estimation.relative_pose import RelativePoseEstimate, estimate_relative_pose
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.epipolar import fundamental_from_essential
from gluestick.types import Camera
from gluestick.types.cameras import CameraLike, as_camera

TwoViewModel = Literal["homography", "fundamental"]

_NUM_MODELS = 2


@dataclass(frozen=True, kw_only=True)
class TwoViewGeometry:
    """What two images have to do with each other.

    Attributes:
        model: Which of the two explains the pair, or None where neither was found.
        homography: The homography, where one was found.
        fundamental: The epipolar geometry, where one was found.
        relative_pose: The same with cameras.
        log10_false_alarms: The logarithm of the expected number of models that as many random
            matches agree with as well, of the model that was chosen; see
            :mod:`gluestick.estimation.chance.false_alarms`. inf without one.
        trusted: Whether that is too small for chance.
    """

    model: TwoViewModel | None
    homography: HomographyEstimate | None
    fundamental: FundamentalEstimate | None
    relative_pose: RelativePoseEstimate | None
    log10_false_alarms: float
    trusted: bool

    @property
    def point_inliers(self) -> np.ndarray | None:
        """[S] bool, the points that agree with the chosen model; None without one."""
        chosen = self.homography if self.model == "homography" else self.fundamental
        return None if chosen is None else chosen.point_inliers

    @property
    def line_inliers(self) -> np.ndarray | None:
        """[M] bool, the lines that agree with the homography; None for epipolar geometry."""
        if self.model != "homography" or self.homography is None:
            return None
        return self.homography.line_inliers


def estimate_two_view_geometry(
    points0: ArrayLike,
    points1: ArrayLike,
    lines0: ArrayLike | None = None,
    lines1: ArrayLike | None = None,
    *,
    camera0: CameraLike | None = None,
    camera1: CameraLike | None = None,
    homography_solver: HomographySolver = "gluestick",
    fundamental_solver: FundamentalSolver = "poselib",
    max_error: float = 3.0,
    seed: int = 0,
) -> TwoViewGeometry:
    """Estimate both a homography and epipolar geometry, and say which explains the pair.

    Epipolar geometry fits whatever a homography fits, so that counting inliers says nothing; but
    it is far easier to fit, so that the homography of a plane has fewer false alarms. The model
    with fewer of them is chosen, with one exception: if the scene is a plane, or the camera only
    turned, the matches that the homography leaves over are wrong. Where they move along their
    epipolar lines too often for chance, they lie beyond the plane, and epipolar geometry is
    chosen.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        lines0: [M, 2, 2] px in image 0. Lines take part in the homography.
        lines1: [M, 2, 2] px in image 1.
        camera0: The calibration of image 0, for a relative pose: a camera without skew, or K.
        camera1: The calibration of image 1; both or neither. Where they have distortion,
            points and lines are undistorted first, and the models hold for undistorted px.
        homography_solver: See :func:`~gluestick.estimation.estimate_homography`.
        fundamental_solver: See :func:`~gluestick.estimation.estimate_fundamental`; used without
            cameras.
        max_error: The largest error of an inlier, px: of the homography as
            :func:`~gluestick.estimation.estimate_homography` says, and the largest Sampson
            distance from epipolar geometry.
        seed: Decides which samples are drawn.

    Returns:
        Both models and which was chosen.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, only one of
            ``lines0`` and ``lines1`` or of the cameras is given, or an option is out of range.
    """
    owner = "estimate_two_view_geometry"
    if (camera0 is None) != (camera1 is None):
        raise ValueError(f"{owner} needs both camera0 and camera1, or neither")
    if camera0 is not None and camera1 is not None:
        camera0, camera1 = as_camera(camera0), as_camera(camera1)
        points0, points1 = _undistorted(points0, camera0), _undistorted(points1, camera1)
        if lines0 is not None and lines1 is not None:
            lines0, lines1 = _undistorted(lines0, camera0), _undistorted(lines1, camera1)
        camera0, camera1 = Camera(K=camera0.K), Camera(K=camera1.K)
    homography = estimate_homography(
        points0,
        points1,
        lines0,
        lines1,
        solver=homography_solver,
        max_error=max_error,
        seed=seed,
    )
    pose = None
    if camera0 is not None and camera1 is not None:
        pose = estimate_relative_pose(
            points0, points1, camera0, camera1, max_error=max_error, seed=seed
        )
    if pose is None or camera0 is None or camera1 is None:
        fundamental = estimate_fundamental(
            points0, points1, solver=fundamental_solver, max_error=max_error, seed=seed
        )
    else:
        fundamental = _without_cameras(pose, as_camera(camera0), as_camera(camera1))
    points = as_arrays(
        owner, {"points0": points0, "points1": points1}, {"points0": "S 2", "points1": "S 2"}
    )
    model = _choose(homography, fundamental, points)
    chosen = homography if model == "homography" else fundamental
    alarms, trusted = with_more_models(
        np.inf if chosen is None else chosen.log10_false_alarms, _NUM_MODELS
    )
    return TwoViewGeometry(
        model=model,
        homography=homography,
        fundamental=fundamental,
        relative_pose=pose,
        log10_false_alarms=alarms,
        trusted=trusted,
    )


def _undistorted(positions: ArrayLike, camera: Camera) -> ArrayLike:
    if not camera.is_distorted:
        return positions
    if isinstance(positions, Tensor):
        positions = positions.detach().cpu().double().numpy()
    return undistort_points(positions, camera)


def _without_cameras(
    pose: RelativePoseEstimate, camera0: Camera, camera1: Camera
) -> FundamentalEstimate:
    F = fundamental_from_essential(pose.E_0to1, camera0, camera1)
    return FundamentalEstimate(
        F_0to1=F / np.linalg.norm(F),
        point_inliers=pose.point_inliers,
        log10_false_alarms=pose.log10_false_alarms,
        trusted=pose.trusted,
    )


def _choose(
    homography: HomographyEstimate | None,
    fundamental: FundamentalEstimate | None,
    points: list[np.ndarray],
) -> TwoViewModel | None:
    if homography is None or fundamental is None:
        if homography is None:
            return None if fundamental is None else "fundamental"
        return "homography"
    if fundamental.log10_false_alarms < homography.log10_false_alarms:
        return "fundamental"
    parallax = fundamental.trusted and _has_parallax(homography, fundamental, points)
    return "fundamental" if parallax else "homography"


def _has_parallax(
    homography: HomographyEstimate, fundamental: FundamentalEstimate, points: list[np.ndarray]
) -> bool:
    """Tell whether the points beyond the plane move along their epipolar lines.

    Two of them fix the epipole, and with it the epipolar geometry; twice as many are taken as a
    sample, since the geometry was fitted to all.
    """
    left = ~homography.point_inliers
    beyond = [values[left] for values in points]
    verdict = judge(
        parallax_chances(homography.H_0to1, fundamental.F_0to1, *beyond),
        fundamental.point_inliers[left],
        independence_weights(beyond),
        sample_size=4,
    )
    return verdict.trusted
