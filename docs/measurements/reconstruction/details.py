"""Whether `gluestick reconstruct` and `localize` place photographs that are details of others.

Usage: ``python docs/measurements/reconstruction/details.py SCENE [SCENE ...] --output DIR``. Each
SCENE holds ``images/`` and ``cameras.json``. A quarter of its photographs (seed 0) are replaced by
details that look 3 to 6 times closer, evenly spread: cut out around the centre and enlarged to the
same size, with the camera changed accordingly. All pairs are matched, calibrations are those of
the survey, and the seed is 0. The errors are those of the other photographs, after the similarity
that brings their centres to their places best. What DIR holds is not computed again.
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
from PIL import Image
from reconstruction import errors

from gluestick.catalog import load_matcher
from gluestick.reconstruction import ReconstructionInputs, reconstruct
from gluestick.viewpoint.view_modes import View

HEADER = (
    "| scene | the quarter | view | registered | of the quarter | points | centre, mm: median "
    "| max | rotation, degrees: median | max |"
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
    target = folder / scene.name
    (target / "images").mkdir(parents=True, exist_ok=True)
    cameras = json.loads((scene / "cameras.json").read_text())
    names = sorted(cameras)
    generator = np.random.default_rng(0)
    details = generator.choice(names, round(len(names) / 4), replace=False).tolist()
    zooms = dict(zip(details, np.linspace(3, 6, len(details)).tolist(), strict=True))
    for name in names:
        if name in zooms:
            cameras[name] = write_detail(scene, name, zooms[name], target / "images" / name)
        else:
            shutil.copy(scene / "images" / name, target / "images" / name)
    (target / "cameras.json").write_text(json.dumps(cameras))
    return target, details


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


def print_row(scene: Path, model: Any, details: list[str], kind: str, view: View) -> None:
    """Print a row of the table."""
    registered = [image for image in model.images.values() if image.has_pose]
    counts = [len(registered), sum(image.name in details for image in registered)]
    names = [path.name for path in (scene / "images").iterdir()]
    for image in registered:
        if image.name in details:
            model.deregister_frame(image.frame_id)
    distances, angles = errors(model, scene)
    print(
        f"| {scene.name.removeprefix('strecha_')} | {kind} | {view} "
        f"| {counts[0]} of {len(names)} | {counts[1]} of {len(details)} | {model.num_points3D()} "
        f"| {np.median(distances):.1f} | {distances.max():.1f} "
        f"| {np.median(angles):.3f} | {angles.max():.3f} |",
        flush=True,
    )


def measure(scene: Path, output: Path) -> None:
    """Reconstruct a scene as it is and with details, by turns alone and by all views."""
    folder, details = scene_with_details(scene, output / "scenes")
    for kind, root in (("whole", scene), ("details", folder)):
        outputs = [output / scene.name / f"{kind}-{view}" for view in VIEWS]
        for view, own in zip(VIEWS, outputs, strict=True):
            model = made_model(root, own, view, shared=outputs[0])
            print_row(root, model, details, kind, view)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/details"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(HEADER)
    print("|---" * 10 + "|")
    for scene in arguments.scenes:
        measure(scene, arguments.output)


if __name__ == "__main__":
    main()
