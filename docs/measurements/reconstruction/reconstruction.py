"""How exactly `gluestick reconstruct` finds surveyed cameras, beside what people use otherwise.

Usage: ``python docs/measurements/reconstruction/reconstruction.py SCENE [SCENE ...] --output DIR``.
Each SCENE holds ``images/`` and ``cameras.json``. All pairs are matched, calibrations are those of
the survey, and the seed is 0. Centres and rotations are compared after the similarity that brings
the centres to their places best. A third of the photographs is turned by 90 degrees in the rows
"turned". What DIR holds is not computed again. Peers need ``make peers``.
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
import torch
from PIL import Image

from gluestick.catalog import load_matcher
from gluestick.reconstruction import ReconstructionConfig, ReconstructionInputs, reconstruct
from gluestick.reconstruction.colmap.database import quiet_pycolmap
from gluestick.reconstruction.known_cameras import read_known_cameras
from gluestick.reconstruction.refinement.model import refine_model

QUARTER = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
"""How the axes of a camera turn with its image, against the clock."""

HEADER = (
    "| scene | matcher | keypoints | registered | points | track | error, px | centre, mm: median "
    "| max | rotation, degrees: median | max |"
)


def turned_scene(scene: Path, folder: Path) -> Path:
    """Write a scene of which every third photograph is turned, and return its folder."""
    target = folder / f"{scene.name}-turned"
    if (target / "cameras.json").is_file():
        return target
    (target / "images").mkdir(parents=True, exist_ok=True)
    cameras = json.loads((scene / "cameras.json").read_text())
    for index, (name, camera) in enumerate(sorted(cameras.items())):
        if index % 3 != 1:
            shutil.copy(scene / "images" / name, target / "images" / name)
            continue
        with Image.open(scene / "images" / name) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(
                target / "images" / name, quality=98, subsampling=0
            )
        K = np.array(camera["K"])
        width = camera["width"]
        camera["K"] = [[K[1, 1], 0, K[1, 2]], [0, K[0, 0], width - 1 - K[0, 2]], [0, 0, 1]]
        camera["R_cam_from_world"] = (QUARTER @ np.array(camera["R_cam_from_world"])).tolist()
        camera["t_cam_from_world"] = (QUARTER @ np.array(camera["t_cam_from_world"])).tolist()
        camera["width"], camera["height"] = camera["height"], width
    (target / "cameras.json").write_text(json.dumps(cameras))
    return target


def errors(model: Any, scene: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of the centres, mm, and of the rotations, degrees."""
    true = json.loads((scene / "cameras.json").read_text())
    images = [image for image in model.images.values() if image.has_pose]
    rotations = []
    for image in images:
        U, _, V = np.linalg.svd(np.array(true[image.name]["R_cam_from_world"]))
        rotations.append(U @ V)
    centres = np.array(
        [
            -R.T @ np.array(true[image.name]["t_cam_from_world"])
            for R, image in zip(rotations, images, strict=True)
        ]
    )
    found = np.array([image.projection_center() for image in images])
    similarity = pycolmap.estimate_sim3d(found, centres)
    turn = similarity.rotation.matrix()
    moved = similarity.scale * found @ turn.T + similarity.translation
    angles = []
    for R, image in zip(rotations, images, strict=True):
        difference = image.cam_from_world().rotation.matrix() @ turn.T @ R.T
        angles.append(np.degrees(np.linalg.norm(cv2.Rodrigues(difference)[0])))
    return 1000 * np.linalg.norm(moved - centres, axis=1), np.array(angles)


def print_row(scene: Path, matcher: str, keypoints: str, model: Any, *, error: float) -> None:
    """Print a row of the table."""
    distances, angles = errors(model, scene)
    registered = len(distances)
    print(
        f"| {scene.name.removeprefix('strecha_')} | {matcher} | {keypoints} "
        f"| {registered} of {len(list((scene / 'images').iterdir()))} | {model.num_points3D()} "
        f"| {model.compute_mean_track_length():.1f} | {error:.2f} "
        f"| {np.median(distances):.1f} | {distances.max():.1f} "
        f"| {np.median(angles):.3f} | {angles.max():.3f} |",
        flush=True,
    )


def measure(scene: Path, matcher: str, output: Path, *, max_num_keypoints: int | None) -> None:
    """Reconstruct a scene, with keypoints as they are detected and refined."""
    loaded = load_matcher(matcher, max_num_keypoints=max_num_keypoints)
    label = matcher if max_num_keypoints is None else f"{matcher}, {max_num_keypoints} keypoints"
    inputs = ReconstructionInputs(
        image_dir=scene / "images",
        output=output / scene.name / label.replace(", ", "-").replace(" ", "-"),
        cameras=scene / "cameras.json",
    )
    detected = replace(ReconstructionConfig(), refinement=None)
    for keypoints, config in (("detected", detected), ("refined", ReconstructionConfig())):
        made = reconstruct(loaded, inputs, model=matcher, config=config)
        model = pycolmap.Reconstruction(str(made.model))
        error = made.record["models"][0]["mean_reprojection_error"]
        print_row(scene, label, keypoints, model, error=error)


def measure_colmap(scene: Path, output: Path) -> None:
    """Reconstruct a scene with COLMAP's own SIFT, matcher and mapper, and refine its model."""
    folder = output / scene.name / "colmap-sift"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    quiet_pycolmap(pycolmap)
    database = str(folder / "database.db")
    images = str(scene / "images")
    names = sorted(path.name for path in (scene / "images").iterdir())
    groups: dict[Any, list[str]] = {}
    for name, camera in read_known_cameras(scene / "cameras.json", names).items():
        groups.setdefault(camera, []).append(name)
    for camera, members in groups.items():
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = camera.model
        reader.camera_params = ", ".join(map(str, camera.params))
        pycolmap.extract_features(database, images, members, pycolmap.CameraMode.SINGLE, reader)
    pycolmap.match_exhaustive(database)
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = 0
    options.ba_refine_focal_length = options.ba_refine_extra_params = False
    models = pycolmap.incremental_mapping(database, images, str(folder), options)
    model = max(models.values(), key=lambda each: each.num_reg_images())
    error = model.compute_mean_reprojection_error()
    print_row(scene, "COLMAP's SIFT", "detected", model, error=error)
    refine_model(model, scene / "images", constant_cameras=list(model.cameras))
    error = model.compute_mean_reprojection_error()
    print_row(scene, "COLMAP's SIFT", "refined", model, error=error)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/reconstruction-accuracy"))
    parser.add_argument(
        "--matchers", nargs="+", default=["aliked-lsd", "aliked+lightglue", "sift+ratio", "colmap"]
    )
    parser.add_argument("--max-num-keypoints", type=int)
    parser.add_argument("--turned", action="store_true", help="turn every third photograph")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(HEADER)
    print("|---" * 11 + "|")
    for scene in arguments.scenes:
        folder = turned_scene(scene, arguments.output / "scenes") if arguments.turned else scene
        for matcher in arguments.matchers:
            if matcher == "colmap":
                measure_colmap(folder, arguments.output)
            else:
                measure(
                    folder,
                    matcher,
                    arguments.output,
                    max_num_keypoints=arguments.max_num_keypoints,
                )


if __name__ == "__main__":
    main()
