"""Whether `gluestick reconstruct` and `localize` place photographs that are details of others.

Usage: ``python docs/measurements/reconstruction/details.py SCENE [SCENE ...] --output DIR``. Each
SCENE holds ``images/`` and ``cameras.json``. A quarter of its photographs (seed 0) are replaced by
details that look 3 to 6 times closer, evenly spread: cut out around the centre and enlarged to the
same size, with the camera changed accordingly. All pairs are matched, calibrations are those of
the survey, and the seed is 0. The errors are those of the other photographs, after the similarity
that brings their centres to their places best. With ``--queries N`` as many photographs (seed 0)
are left out instead, and a detail of each that looks 4 times closer is localized in the model of
the others. What DIR holds is not computed again.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
import torch
from localization import similarity, true_pose
from PIL import Image
from reconstruction import errors

from gluestick.catalog import load_matcher
from gluestick.reconstruction import ReconstructionInputs, reconstruct
from gluestick.reconstruction.localization import LocalizationInputs, localize
from gluestick.viewpoint.view_modes import View

HEADER = (
    "| scene | the quarter | view | registered | of the quarter | points | centre, mm: median "
    "| max | rotation, degrees: median | max |"
)
QUERY_HEADER = (
    "| scene | query | view | localized | correspondences | agree | centre, mm "
    "| rotation, degrees |"
)
MODEL = "aliked-lsd"
VIEWS: tuple[View, View] = ("turn", "auto")
QUERY_ZOOM = 4.0


def write_detail(scene: Path, name: str, zoom: float, target: Path) -> dict[str, Any]:
    """Write a detail of a photograph, and return its camera."""
    camera = json.loads((scene / "cameras.json").read_text())[name]
    width, height = camera["width"], camera["height"]
    low = (np.array([width, height]) - np.array([width, height]) / zoom) / 2
    high = np.array([width, height]) - low
    with Image.open(scene / "images" / name) as image:
        image.convert("RGB").resize(
            (width, height), Image.Resampling.BICUBIC, box=(*low, *high)
        ).save(target, quality=98, subsampling=0)
    K = np.array(camera["K"])
    K[:2, 2] = zoom * (K[:2, 2] + 0.5 - low) - 0.5
    K[0, 0], K[1, 1] = zoom * K[0, 0], zoom * K[1, 1]
    return camera | {"K": K.tolist()}


def scene_with_details(scene: Path, folder: Path) -> tuple[Path, list[str]]:
    """Write a scene of which a quarter of the photographs are details, and return their names."""
    cameras = json.loads((scene / "cameras.json").read_text())
    names = sorted(cameras)
    number = round(len(names) / 4)
    details = np.random.default_rng(0).choice(names, number, replace=False).tolist()
    zooms = dict(zip(details, np.linspace(3, 6, number).tolist(), strict=True))
    return write_scene(scene, folder, zooms, folder / "images"), details


def write_scene(scene: Path, folder: Path, zooms: dict[str, float], details: Path) -> Path:
    """Write a scene with details of some photographs in their place, or in another folder."""
    cameras = json.loads((scene / "cameras.json").read_text())
    for target in (folder / "images", details):
        target.mkdir(parents=True, exist_ok=True)
    for name in cameras:
        if name in zooms:
            cameras[name] = write_detail(scene, name, zooms[name], details / name)
        else:
            shutil.copy(scene / "images" / name, folder / "images" / name)
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


def made_model(scene: Path, output: Path, view: View, *, shared: Path) -> Any:
    """Reconstruct a scene, from features and matches that may be there, and return the model."""
    output.mkdir(parents=True, exist_ok=True)
    for file in ("features.h5", "matches.h5"):
        if (shared / file).is_file() and not (output / file).is_file():
            shutil.copy(shared / file, output / file)
    matcher = load_matcher(MODEL)
    matcher.view = view
    inputs = ReconstructionInputs(
        image_dir=scene / "images", output=output, cameras=scene / "cameras.json"
    )
    made = reconstruct(matcher, inputs, model=MODEL)
    return pycolmap.Reconstruction(str(made.model))


def print_row(
    scene: Path, model: Any, details: list[str], kind: str, view: View, *, name: str
) -> None:
    """Print a row of the table."""
    registered = [image for image in model.images.values() if image.has_pose]
    counts = [len(registered), sum(image.name in details for image in registered)]
    names = [path.name for path in (scene / "images").iterdir()]
    for image in registered:
        if image.name in details:
            model.deregister_frame(image.frame_id)
    distances, angles = errors(model, scene)
    print(
        f"| {name.removeprefix('strecha_')} | {kind} | {view} "
        f"| {counts[0]} of {len(names)} | {counts[1]} of {len(details)} | {model.num_points3D()} "
        f"| {np.median(distances):.1f} | {distances.max():.1f} "
        f"| {np.median(angles):.3f} | {angles.max():.3f} |",
        flush=True,
    )


def measure(scene: Path, output: Path) -> None:
    """Reconstruct a scene as it is, without a quarter of it and with details of that."""
    root = output / scene.name
    folder, details = scene_with_details(scene, root / "details")
    without = write_scene(scene, root / "without", dict.fromkeys(details, 1.0), root / "left-out")
    shared = root / "without-turn"
    for kind, own in (("without", without), ("whole", scene)):
        model = made_model(own, root / f"{kind}-turn", "turn", shared=shared)
        print_row(own, model, details, kind, "turn", name=scene.name)
    for view in VIEWS:
        model = made_model(folder, root / f"details-{view}", view, shared=shared)
        print_row(folder, model, details, "details", view, name=scene.name)
        shared = root / f"details-{view}"


def measure_queries(scene: Path, output: Path, number: int) -> None:
    """Localize details of photographs in the model of the others."""
    root = output / scene.name
    names = sorted(json.loads((scene / "cameras.json").read_text()))
    left_out = np.random.default_rng(0).choice(names, number, replace=False).tolist()
    folder, queries = root / "others", root / "queries"
    write_scene(scene, folder, dict.fromkeys(left_out, QUERY_ZOOM), queries)
    made_model(folder, root / "others-turn", "turn", shared=root / "whole-turn")
    true = json.loads((folder / "cameras.json").read_text())
    to_survey = similarity(root / "others-turn" / "sparse" / "0", true)
    for view in VIEWS:
        matcher = load_matcher(MODEL)
        matcher.view = view
        inputs = LocalizationInputs(
            model=root / "others-turn",
            queries=queries,
            output=root / f"localized-{view}",
            image_dir=folder / "images",
            cameras=folder / "cameras.json",
        )
        for record in localize(matcher, inputs, model=MODEL).records:
            print_query(scene, view, record, true[record["name"]], to_survey)


def print_query(
    scene: Path, view: View, record: dict[str, Any], camera: dict[str, Any], to_survey: Any
) -> None:
    """Print a row of the table of queries."""
    kind = f"| {scene.name.removeprefix('strecha_')} | {record['name']} | {view} "
    counts = f"| {record['num_points']} | {record['num_point_inliers']} "
    pose = record["cam_from_world"]
    if not record["localized"]:
        print(f"{kind}| no {counts}| - | - |", flush=True)
        return
    R, centre = true_pose(camera)
    turn = to_survey.rotation.matrix()
    own = pycolmap.Rotation3d(np.array(pose["qvec"])[[1, 2, 3, 0]]).matrix()
    moved = to_survey.scale * turn @ np.array(pose["centre"]) + to_survey.translation
    angle = np.degrees(np.linalg.norm(cv2.Rodrigues(own @ turn.T @ R.T)[0]))
    distance = 1000 * np.linalg.norm(moved - centre)
    print(f"{kind}| yes {counts}| {distance:.1f} | {angle:.3f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/details"))
    parser.add_argument("--queries", type=int, help="photographs that are left out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    header = HEADER if arguments.queries is None else QUERY_HEADER
    print(header)
    print("|---" * (header.count("|") - 1) + "|")
    for scene in arguments.scenes:
        if arguments.queries is None:
            measure(scene, arguments.output)
        else:
            measure_queries(scene, arguments.output, arguments.queries)


if __name__ == "__main__":
    main()
