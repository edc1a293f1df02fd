"""hloc's own pipelines on this package's files and on its extractor and matcher.

Usage, in hloc's environment (see ``docs/how_to/hloc.md``):
``python docs/measurements/reconstruction/hloc_pipelines.py SCENE --output DIR``. SCENE holds
``images/`` and ``cameras.json``, whose poses are true. All pairs are matched. hloc reconstructs
with the true calibration; triangulates from the true poses of all images but every fourth; and
localizes those. What DIR holds is not computed again.
"""

import argparse
import json
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pycolmap
from hloc import extract_features, localize_sfm, match_features, reconstruction, triangulation
from reconstruction import errors

from gluestick.bridges.hloc import FEATURES, MATCHES
from gluestick.export import export_hloc_folder
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL

FIXED = {
    "ba_refine_focal_length": False,
    "ba_refine_principal_point": False,
    "ba_refine_extra_params": False,
}


def pinhole(camera: dict) -> pycolmap.Camera:
    """Return COLMAP's camera of an entry of ``cameras.json``."""
    K = np.array(camera["K"])
    return pycolmap.Camera(
        model="PINHOLE",
        width=camera["width"],
        height=camera["height"],
        params=[K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5],
    )


def words(*values: object) -> str:
    """Return values with blanks between them."""
    return " ".join(map(str, values))


def camera_words(camera: pycolmap.Camera) -> str:
    """Return a camera as hloc's lists and COLMAP's text files have it."""
    return words("PINHOLE", camera.width, camera.height, *camera.params)


def true_pose(camera: dict) -> pycolmap.Rigid3d:
    """Return the pose of an entry of ``cameras.json``."""
    U, _, V = np.linalg.svd(np.array(camera["R_cam_from_world"]))
    return pycolmap.Rigid3d(pycolmap.Rotation3d(U @ V), np.array(camera["t_cam_from_world"]))


def write_reference(cameras: dict, names: list[str], folder: Path) -> Path:
    """Write a COLMAP model of some images, as text, with their true poses and without points."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {"cameras": [], "images": [], "points3D": []}
    for number, name in enumerate(names, start=1):
        camera, pose = pinhole(cameras[name]), true_pose(cameras[name])
        x, y, z, w = pose.rotation.quat
        lines["cameras"].append(f"{number} {camera_words(camera)}")
        lines["images"].append(words(number, w, x, y, z, *pose.translation, number, name))
        lines["images"].append("")
    for name, content in lines.items():
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in content))
    return folder


def write_pairs(pairs: list[tuple[str, str]], path: Path) -> Path:
    """Write a list of pairs."""
    path.write_text("".join(f"{first} {second}\n" for first, second in pairs))
    return path


def features_and_matches(scene: Path, pairs: Path, output: Path, way: str) -> tuple[Path, Path]:
    """Return the feature and match files, of ``gluestick export`` or of hloc's own steps."""
    if way == "exported files":
        names = [tuple(line.split()) for line in pairs.read_text().splitlines()]
        matcher = PointLineMatcher.from_pretrained()
        written = export_hloc_folder(
            matcher, scene / "images", names, output / "exported", model=DEFAULT_MODEL
        )
        return written.features, written.matches
    features = extract_features.main(FEATURES, scene / "images", output / "modules")
    matches = match_features.main(MATCHES, pairs, FEATURES["output"], output / "modules")
    return features, matches


def localize(cameras: dict, queries: list[str], model: Path, folder: Path, **files: Path) -> list:
    """Localize images in a model; return the errors of the centres, mm, and angles, degrees."""
    (folder / "queries.txt").write_text(
        "".join(f"{name} {camera_words(pinhole(cameras[name]))}\n" for name in queries)
    )
    results = folder / "poses.txt"
    localize_sfm.main(model, folder / "queries.txt", results=results, **files)
    found = []
    for line in results.read_text().splitlines():
        name, *numbers = line.split()
        w, x, y, z, *t = map(float, numbers)
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d([x, y, z, w]), t)
        difference = pose * true_pose(cameras[name]).inverse()
        centres = [one.inverse().translation for one in (pose, true_pose(cameras[name]))]
        distance = 1000 * np.linalg.norm(centres[0] - centres[1])
        found.append((name, distance, np.degrees(difference.rotation.angle())))
    return found


def measure(scene: Path, output: Path, way: str) -> None:
    """Print what hloc's three pipelines give."""
    cameras = json.loads((scene / "cameras.json").read_text())
    names = sorted(cameras)
    output.mkdir(parents=True, exist_ok=True)
    pairs = write_pairs(list(combinations(names, 2)), output / "pairs.txt")
    features, matches = features_and_matches(scene, pairs, output, way)
    folder = output / way.replace(" ", "-")
    params = ",".join(map(str, pinhole(cameras[names[0]]).params))
    model = reconstruction.main(
        folder / "sfm",
        scene / "images",
        pairs,
        features,
        matches,
        camera_mode=pycolmap.CameraMode.SINGLE,
        image_options={"camera_model": "PINHOLE", "camera_params": params},
        mapper_options=FIXED,
    )
    distances, angles = errors(model, scene)
    rows = [
        f"reconstruction: {model.num_reg_images()} of {len(names)} images, "
        f"{model.num_points3D()} points, track {model.compute_mean_track_length():.1f}, "
        f"{model.compute_mean_reprojection_error():.2f} px, centres {np.median(distances):.1f} mm "
        f"(max {distances.max():.1f}), rotations {np.median(angles):.3f} degrees"
    ]
    queries = names[1::4]
    known = [name for name in names if name not in queries]
    model = triangulation.main(
        folder / "triangulated",
        write_reference(cameras, known, folder / "reference"),
        scene / "images",
        write_pairs(list(combinations(known, 2)), folder / "known.txt"),
        features,
        matches,
    )
    rows.append(
        f"triangulation: {len(known)} images, {model.num_points3D()} points, track "
        f"{model.compute_mean_track_length():.1f}, {model.compute_mean_reprojection_error():.2f} px"
    )
    retrieval = [(a, b) for a, b in permutations(names, 2) if a in queries and b not in queries]
    files = {
        "retrieval": write_pairs(retrieval, folder / "retrieval.txt"),
        "features": features,
        "matches": matches,
    }
    for name, distance, angle in localize(
        cameras, queries, folder / "triangulated", folder, **files
    ):
        rows.append(f"localization of {name}: {distance:.1f} mm, {angle:.3f} degrees")
    print(*(f"{way}: {row}" for row in rows), sep="\n", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--output", type=Path, default=Path("output/hloc_pipelines"))
    given = parser.parse_args()
    for way in ("exported files", "extractor and matcher"):
        measure(given.scene, given.output, way)
