"""How exactly `gluestick localize` finds surveyed cameras, from points and from points and lines.

Usage: ``python docs/measurements/reconstruction/localization.py SCENE [SCENE ...] --output DIR``.
Each SCENE holds ``images/`` and ``cameras.json``. Its photographs are left out two or three at a
time, the others are reconstructed with the surveyed calibrations, and those left out are localized
in the model, with their calibration and without: so every photograph is a query once. Centres and
rotations are compared after the similarity that brings the model's photographs to their places
best; the seed is 0. What DIR holds is not computed again. Peers need ``make peers``.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
import torch

from gluestick.catalog import load_matcher
from gluestick.datasets.posed.posed_pairs import nearest_rotation
from gluestick.estimation import UncalibratedPoseEstimate
from gluestick.export.features_h5 import FeaturesReader
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction import ReconstructionInputs, reconstruct
from gluestick.reconstruction.known_cameras import read_known_cameras
from gluestick.reconstruction.localization.map_folder import prepare_map
from gluestick.reconstruction.localization.queries import Query, QueryCamera, query_camera
from gluestick.reconstruction.localization.query_pose import (
    PoseConfig,
    correspondences,
    estimate_query_pose,
)
from gluestick.reconstruction.localization.query_refinement import QueryRefinement
from gluestick.reconstruction.localization.references import References
from gluestick.reconstruction.localization.scene_map import read_scene_map
from gluestick.reconstruction.pairs.retrieval import PhotographDescriptors

HEADER = (
    "| scene | matcher | focal length | from | localized | points | lines | centre, mm: median "
    "| max | rotation, degrees: median | max | focal length, %: median | max |"
)


@dataclass(frozen=True)
class Outcome:
    """The pose of one query.

    Attributes:
        kind: Whether the focal length was known, and what the pose is from.
        counts: The points and the lines that agree.
        errors: Of the centre, mm, of the rotation, degrees, and of the focal length, percent.
    """

    kind: tuple[str, str]
    counts: tuple[int, int]
    errors: tuple[float, float, float]


def true_pose(entry: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the surveyed rotation and centre."""
    R = nearest_rotation(np.array(entry["R_cam_from_world"]))
    return R, -R.T @ np.array(entry["t_cam_from_world"])


def map_of_others(
    scene: Path, left_out: list[str], folder: Path, matcher: PointLineMatcher, name: str
) -> Path:
    """Reconstruct all photographs but some, whose features and matches may be there already."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for path in (scene / "images").iterdir():
        if path.name not in left_out and not (images / path.name).exists():
            shutil.copy(path, images / path.name)
    shared = folder.parent / "all"
    for file in ("features.h5", "matches.h5"):
        if (shared / file).is_file() and not (folder / file).is_file():
            shutil.copy(shared / file, folder / file)
    inputs = ReconstructionInputs(image_dir=images, output=folder, cameras=scene / "cameras.json")
    reconstruct(matcher, inputs, model=name)
    return folder


def localize_left_out(
    scene: Path, left_out: list[str], folder: Path, matcher: PointLineMatcher, name: str
) -> list[Outcome]:
    """Localize some photographs in a model of the others, in every way."""
    made = map_of_others(scene, left_out, folder, matcher, name)
    place = prepare_map(
        matcher, made, folder / "localization", matcher_name=name, image_dir=folder / "images"
    )
    scene_map = read_scene_map(place.folder)
    true = json.loads((scene / "cameras.json").read_text())
    to_survey = similarity(made / "sparse" / "0", true)
    known = read_known_cameras(scene / "cameras.json", left_out)
    outcomes = []
    with (
        FeaturesReader(place.folder / "features.h5") as features,
        PhotographDescriptors(place.descriptors, place.image_dir) as descriptors,
    ):
        references = References(
            matcher, features, descriptors, scene_map.names, place.image_dir, model=name
        )
        refinement = QueryRefinement(scene_map, place.image_dir)
        for query in left_out:
            matched = references.match(scene / "images" / query)
            size = tuple(matched.features["image_size"].tolist())
            given = Query(name=query, path=scene / "images" / query, camera=known[query])
            cameras = {"known": query_camera(given, size), "unknown": QueryCamera(source="unknown")}
            found = correspondences(scene_map, matched.references)
            for (focal, camera), lines in product(cameras.items(), (False, True)):
                config = PoseConfig(lines=lines)
                pose = estimate_query_pose(scene_map, matched, found, camera, config=config)
                refined = refinement.refine(given.path, matched, found, pose)
                used = "points and lines" if lines else "points"
                ways = [(used, pose), (f"{used}, refined", refined)]
                for kind, own in ways if focal == "known" else ways[:1]:
                    outcomes.append(
                        outcome((focal, kind), own.estimate, own.camera, true[query], to_survey)
                    )
    return outcomes


def similarity(model: Path, true: dict[str, Any]) -> Any:
    """Return the similarity from a model to the survey."""
    images = pycolmap.Reconstruction(str(model)).images.values()
    found = np.array([image.projection_center() for image in images])
    return pycolmap.estimate_sim3d(
        found, np.array([true_pose(true[image.name])[1] for image in images])
    )


def outcome(
    kind: tuple[str, str], estimate: Any, camera: Any, entry: dict[str, Any], to_survey: Any
) -> Outcome:
    """Compare a pose with the survey."""
    if estimate is None or not estimate.trusted:
        return Outcome(kind=kind, counts=(0, 0), errors=(np.inf, np.inf, np.inf))
    R, centre = true_pose(entry)
    pose, turn = estimate.cam_from_world, to_survey.rotation.matrix()
    own = -pose.R.T @ pose.t
    moved = to_survey.scale * turn @ own + to_survey.translation
    angle = np.degrees(np.linalg.norm(cv2.Rodrigues(pose.R @ turn.T @ R.T)[0]))
    focal = 0.0
    if isinstance(estimate, UncalibratedPoseEstimate):
        true_length = np.sqrt(entry["K"][0][0] * entry["K"][1][1])
        focal = 100 * abs(camera.params[0] / true_length - 1)
    counts = int(estimate.point_inliers.sum()), int(estimate.line_inliers.sum())
    distance = 1000 * float(np.linalg.norm(moved - centre))
    return Outcome(kind=kind, counts=counts, errors=(distance, float(angle), float(focal)))


def print_rows(scene: Path, matcher: str, outcomes: list[Outcome]) -> None:
    """Print a row of the table for each way."""
    for kind in dict.fromkeys(each.kind for each in outcomes):
        own = [each for each in outcomes if each.kind == kind]
        counts = np.mean([each.counts for each in own], axis=0)
        errors = np.array([each.errors for each in own])
        right = np.isfinite(errors[:, 0])
        median, largest = np.median(errors, axis=0), errors.max(axis=0)
        focal = "- | -" if kind[0] == "known" else f"{median[2]:.2f} | {largest[2]:.2f}"
        print(
            f"| {scene.name.removeprefix('strecha_')} | {matcher} | {' | '.join(kind)} "
            f"| {right.sum()} of {len(own)} | {counts[0]:.0f} | {counts[1]:.0f} "
            f"| {median[0]:.1f} | {largest[0]:.1f} | {median[1]:.3f} | {largest[1]:.3f} "
            f"| {focal} |",
            flush=True,
        )


def measure(scene: Path, name: str, output: Path) -> None:
    """Have every photograph of a scene be a query once."""
    matcher = load_matcher(name)
    root = output / scene.name / name
    reconstruct(
        matcher,
        ReconstructionInputs(
            image_dir=scene / "images", output=root / "all", cameras=scene / "cameras.json"
        ),
        model=name,
    )
    names = sorted(path.name for path in (scene / "images").iterdir())
    step = len(names) // 2
    outcomes = []
    for first in range(step):
        left_out = names[first::step]
        outcomes += localize_left_out(scene, left_out, root / str(first), matcher, name)
    print_rows(scene, name, outcomes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/localization-accuracy"))
    parser.add_argument("--matchers", nargs="+", default=["aliked-lsd", "sift+ratio"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(HEADER)
    print("|---" * 13 + "|")
    for scene in arguments.scenes:
        for matcher in arguments.matchers:
            measure(scene, matcher, arguments.output)


if __name__ == "__main__":
    main()
