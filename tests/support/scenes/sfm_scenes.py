"""A small scene of known cameras and points, as if a matcher had found it without an error."""

import json
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from gluestick.export import FeaturesWriter, MatchesWriter
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

SIZE = (320, 240)
CAMERA = Camera(K=np.array([[300.0, 0, 158], [0, 310.0, 121], [0, 0, 1]]))
NUM_POINTS, NUM_JUNCTIONS = 120, 4


def look_at(centre: np.ndarray, target: np.ndarray) -> Pose:
    """Return the pose of an upright camera that looks at a point."""
    forward = target - centre
    forward = forward / np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    return Pose(R=R, t=-R @ centre)


POSES = {
    f"{index}.png": look_at(np.array([x, 0.3 * (-1) ** index, -5.0]), np.zeros(3))
    for index, x in enumerate((-2.1, -0.8, 0.6, 1.9))
}
POINTS = np.random.default_rng(0).uniform(-1.2, 1.2, size=(NUM_POINTS, 3))
ORDERS = {
    name: np.random.default_rng(seed).permutation(NUM_POINTS) for seed, name in enumerate(POSES)
}
"""For each image, which point each of its keypoints is."""


def keypoints(name: str) -> np.ndarray:
    """Return the keypoints of an image, [N, 2] px."""
    return project_points(POINTS[ORDERS[name]], POSES[name], CAMERA)[0]


def matches(name0: str, name1: str) -> np.ndarray:
    """Return the partner in the second image of each keypoint of the first."""
    return np.argsort(ORDERS[name1])[ORDERS[name0]]


def write_photographs(folder: Path) -> Path:
    """Write an image of noise for each camera."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(POSES):
        pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0]), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def write_cameras(path: Path) -> Path:
    """Write ``cameras.json``."""
    entry = {"K": CAMERA.K.tolist(), "width": SIZE[0], "height": SIZE[1]}
    path.write_text(json.dumps(dict.fromkeys(POSES, entry)))
    return path


def quaternion_line(pose: Pose) -> list[float]:
    """Return qw, qx, qy, qz, tx, ty, tz of a rotation by less than 180 degrees."""
    x, y, z, w = Rotation.from_matrix(pose.R).as_quat()
    sign = 1.0 if w >= 0 else -1.0
    return [float(value) for value in (*(sign * np.array([w, x, y, z])), *pose.t)]


def write_posed_model(folder: Path, names: list[str]) -> Path:
    """Write a COLMAP model in text with the poses of some images and without points."""
    folder.mkdir(parents=True, exist_ok=True)
    K = CAMERA.K
    params = f"{K[0, 0]} {K[1, 1]} {K[0, 2] + 0.5} {K[1, 2] + 0.5}"
    (folder / "cameras.txt").write_text(f"1 PINHOLE {SIZE[0]} {SIZE[1]} {params}\n")
    images = [
        f"{number} {' '.join(map(str, quaternion_line(POSES[name])))} 1 {name}\n\n"
        for number, name in enumerate(names, start=1)
    ]
    (folder / "images.txt").write_text("".join(images))
    (folder / "points3D.txt").write_text("")
    return folder


def write_features(folder: Path, *, noise: float = 0.0) -> tuple[Path, Path]:
    """Write the feature and the match file; the first keypoints are junctions, matched apart."""
    paths = folder / "features.h5", folder / "matches.h5"
    rng = np.random.default_rng(9)
    with FeaturesWriter(paths[0]) as features:
        for name in POSES:
            moved = keypoints(name) + rng.normal(0, noise, (NUM_POINTS, 2))
            arrays = {
                "image_size": np.array(SIZE),
                "keypoints": moved.astype(np.float32),
                "num_junctions": np.array(NUM_JUNCTIONS),
            }
            features.add(name, arrays)
    junctions = np.arange(NUM_POINTS) < NUM_JUNCTIONS
    with MatchesWriter(paths[1]) as written:
        for pair in combinations(POSES, 2):
            partners = matches(*pair)
            apart = junctions | (partners < NUM_JUNCTIONS)
            arrays = {
                "matches0": np.where(apart, -1, partners),
                "matching_scores0": np.ones(NUM_POINTS, np.float32),
                "junction_matches0": np.where(apart, partners, -1),
            }
            written.add_arrays(*pair, arrays)
    return paths


def pose_errors(model: object) -> tuple[float, float]:
    """Return the largest errors of a model's cameras after a similarity.

    Returns:
        That of the centres, as a share of the baseline between the outermost, and that of the
        rotations, degrees.
    """
    import pycolmap

    images = [image for image in model.images.values() if image.has_pose]
    true = [POSES[image.name] for image in images]
    centres = np.array([-pose.R.T @ pose.t for pose in true])
    found = np.array([image.projection_center() for image in images])
    similarity = pycolmap.estimate_sim3d(found, centres)
    turn = similarity.rotation.matrix()
    moved = similarity.scale * found @ turn.T + similarity.translation
    distances = np.linalg.norm(moved - centres, axis=1) / np.linalg.norm(centres[0] - centres[-1])
    angles = [
        np.linalg.norm(image.cam_from_world().rotation.matrix() @ turn.T - pose.R)
        for image, pose in zip(images, true, strict=True)
    ]
    return float(distances.max()), float(np.degrees(max(angles) / np.sqrt(2)))


def write_textured_photographs(folder: Path, assets: Path) -> Path:
    """Write what the cameras see of two photographs on walls, one before the other."""
    folder.mkdir(parents=True, exist_ok=True)
    walls = (("graffiti_a.jpg", 0.9, 6.4, 0.0), ("leuven_a.jpg", -0.7, 2.4, 1.0))
    for name, pose in POSES.items():
        seen = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        for texture, depth, width, right in walls:
            with Image.open(assets / texture) as opened:
                pixels = np.asarray(opened.convert("RGB"))
            height, length = pixels.shape[:2]
            unit = width / length
            to_wall = np.array(
                [
                    [unit, 0, right - unit * (length - 1) / 2],
                    [0, unit, -unit * (height - 1) / 2],
                    [0, 0, 1],
                ]
            )
            origin = pose.R @ np.array([0, 0, depth]) + pose.t
            H = CAMERA.K @ np.column_stack([pose.R[:, :2], origin]) @ to_wall
            drawn = cv2.warpPerspective(pixels, H, SIZE, flags=cv2.INTER_AREA)
            covered = cv2.warpPerspective(np.ones((height, length), np.uint8), H, SIZE)
            seen = np.where(covered[..., None] > 0, drawn, seen)
        Image.fromarray(seen).save(folder / name)
    return folder
