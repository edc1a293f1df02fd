"""A model made exact: keypoints aligned along their tracks, then bundle adjustment.

Detectors place each keypoint by what one photograph shows; the patches around the observations of
a point say where it is in the others to a fraction of that error (the idea of Dusmanu et al.,
"Multi-View Optimization of Local Feature Geometry", ECCV 2020, here with one reference view for
each track and the local map from the model's own geometry).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.folder_images import Progress, no_progress
from gluestick.geometry.pixels import centre_to_corner
from gluestick.reconstruction.colmap.database import colmap_errors
from gluestick.reconstruction.refinement.patch_alignment import AlignmentConfig
from gluestick.reconstruction.refinement.photographs import Photographs, align_observations
from gluestick.reconstruction.refinement.tracks import (
    PosedImage,
    TrackLinks,
    local_maps,
    track_links,
)

_MIN_TRIANGULATION_ANGLE = 1.5
"""Degrees, as in COLMAP."""


@dataclass(frozen=True, kw_only=True)
class RefinementConfig:
    """Options of the refinement.

    Attributes:
        size: Photographs whose longer side has more px are reduced to it.
        alignment: How patches are aligned.
        loss_scale: From which error on an observation counts less in the bundle adjustment
            (Cauchy's loss), px of the photographs as reduced.
        max_error: Observations with a larger error in the end are left out, px of the
            photographs as reduced.
        min_observations: A photograph that would be left with fewer keeps all of its own.
    """

    size: int = 2048
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    loss_scale: float = 0.25
    max_error: float = 2.0
    min_observations: int = 20


@dataclass(frozen=True, kw_only=True)
class Refinement:
    """What a refinement did.

    Attributes:
        num_observations: How many observations were to be aligned with their track's reference.
        num_aligned: How many were.
        num_removed: How many were left out of their tracks.
        median_shift: By how much the aligned ones moved, px.
    """

    num_observations: int
    num_aligned: int
    num_removed: int
    median_shift: float


def refine_model(
    reconstruction: Any,
    image_dir: Path,
    *,
    constant_cameras: Collection[int] = (),
    constant_poses: bool = False,
    config: RefinementConfig | None = None,
    progress: Progress = no_progress,
) -> Refinement:
    """Align the keypoints of a model along its tracks, and adjust cameras and points to them.

    Args:
        reconstruction: A ``pycolmap.Reconstruction``, which is changed.
        image_dir: Its photographs.
        constant_cameras: The numbers of the cameras whose calibration stays.
        constant_poses: Whether poses stay.
        config: The options.
        progress: Shows how far it is.

    Returns:
        What was done. A photograph that cannot be read keeps its keypoints.

    Raises:
        ValueError: If the adjustment fails.
    """
    config = config or RefinementConfig()
    images = {
        number: PosedImage(image, reconstruction.cameras[image.camera_id])
        for number, image in reconstruction.images.items()
        if image.has_pose
    }
    names = {number: reconstruction.images[number].name for number in images}
    photographs = Photographs(
        image_dir, names, size=config.size, smoothing=config.alignment.smoothing
    )
    links = track_links(reconstruction, images)
    shifts: list[np.ndarray] = []
    failed: dict[int, list[int]] = {}
    for link in progress(links, "Keypoints along tracks"):
        positions, found = _aligned(link, images, photographs, config)
        shifts.append(np.linalg.norm(positions - _observed(link, images), axis=1)[found])
        _move(reconstruction, link, positions, found)
        failed.setdefault(link.image_id1, []).extend(link.keypoints1[~found].tolist())
    removed = _remove(reconstruction, failed, least=config.min_observations)
    enlargement = photographs.mean_enlargement()
    adjust(
        reconstruction,
        constant_cameras=constant_cameras,
        constant_poses=constant_poses,
        loss_scale=config.loss_scale * enlargement,
        max_error=config.max_error * enlargement,
    )
    aligned = np.concatenate([np.zeros(0), *shifts])
    return Refinement(
        num_observations=sum(len(link.keypoints1) for link in links),
        num_aligned=len(aligned),
        num_removed=removed,
        median_shift=float(np.median(aligned)) if len(aligned) else 0.0,
    )


def adjust(
    reconstruction: Any,
    *,
    constant_cameras: Collection[int] = (),
    constant_poses: bool = False,
    loss_scale: float,
    max_error: float,
    max_num_iterations: int = 100,
) -> None:
    """Adjust a model to its observations with a robust loss, and leave out what does not fit.

    Args:
        reconstruction: A ``pycolmap.Reconstruction``, which is changed.
        constant_cameras: The numbers of the cameras whose calibration stays.
        constant_poses: Whether poses stay.
        loss_scale: The scale of Cauchy's loss, px.
        max_error: The largest error of an observation, px.
        max_num_iterations: Of the solver.

    Raises:
        ValueError: If it fails.
    """
    pycolmap = import_pycolmap("bundle adjustment")
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = loss_scale
    options.ceres.solver_options.max_num_iterations = max_num_iterations
    options.ceres.solver_options.minimizer_progress_to_stdout = False
    setup = pycolmap.BundleAdjustmentConfig()
    for number, image in reconstruction.images.items():
        if image.has_pose:
            setup.add_image(number)
            if constant_poses:
                setup.set_constant_rig_from_world_pose(image.frame_id)
    for number in constant_cameras:
        setup.set_constant_cam_intrinsics(number)
    if not constant_poses:
        setup.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    with colmap_errors("bundle adjustment"):
        pycolmap.create_default_bundle_adjuster(options, setup, reconstruction).solve()
        observations = pycolmap.ObservationManager(reconstruction)
        observations.filter_observations_with_negative_depth()
        observations.filter_all_points3D(max_error, _MIN_TRIANGULATION_ANGLE)
        reconstruction.update_point_3d_errors()


def _observed(link: TrackLinks, images: dict[int, PosedImage]) -> np.ndarray:
    return images[link.image_id1].keypoints(link.keypoints1)


def _aligned(
    link: TrackLinks,
    images: dict[int, PosedImage],
    photographs: Photographs,
    config: RefinementConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the observations are [N, 2] px, and which were found [N] bool."""
    image0, image1 = images[link.image_id0], images[link.image_id1]
    expected = _observed(link, images)
    photograph0, photograph1 = photographs.get(link.image_id0), photographs.get(link.image_id1)
    if photograph0 is None or photograph1 is None:
        return expected, np.ones(len(expected), dtype=bool)
    return align_observations(
        photograph0,
        photograph1,
        image0.keypoints(link.keypoints0),
        expected,
        local_maps(image0, image1, link.points3d),
        config=config.alignment,
    )


def _move(reconstruction: Any, link: TrackLinks, positions: np.ndarray, found: np.ndarray) -> None:
    points = reconstruction.images[link.image_id1].points2D
    stored = centre_to_corner(positions)
    for row in np.flatnonzero(found):
        points[int(link.keypoints1[row])].xy = stored[row]


def _remove(reconstruction: Any, failed: dict[int, list[int]], *, least: int) -> int:
    removed = 0
    for number, keypoints in failed.items():
        image = reconstruction.images[number]
        if image.num_points3D - len(keypoints) < least:
            continue
        for keypoint in keypoints:
            if image.points2D[keypoint].has_point3D():
                reconstruction.delete_observation(number, keypoint)
                removed += 1
    return removed
