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
from true_models import camera_words, pinhole, true_pose, write_true_model

from gluestick.bridges.hloc import FEATURES, MATCHES
from gluestick.export import export_hloc_folder
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL

FIXED = {
    "ba_refine_focal_length": False,
    "ba_refine_principal_point": False,
    "ba_refine_extra_params": False,
}


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
        write_true_model(scene, folder / "reference", names=known),
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
